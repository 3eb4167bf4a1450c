// Relabels label sets with Prometheus' own code: one JSON object a line in, one out.
//
//	{"rules": "<YAML of a list of relabel_config>", "series": [[["name", "value"], ...], ...]}
//	{"results": [[["name", "value"], ...] or null where it is dropped, ...]} or {"error": "..."}
package main

import (
	"bufio"
	"encoding/json"
	"os"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v2"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
)

type pair [2]string

type question struct {
	Rules  string   `json:"rules"`
	Series [][]pair `json:"series"`
}

type answer struct {
	Results [][]pair `json:"results"`
	Error   string   `json:"error,omitempty"`
}

func rules(text string) ([]*relabel.Config, error) {
	var found []*relabel.Config
	if err := yaml.UnmarshalStrict([]byte(text), &found); err != nil {
		return nil, err
	}
	for _, rule := range found {
		if err := rule.Validate(model.UTF8Validation); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func relabelled(found []*relabel.Config, series []pair) []pair {
	var given []string
	for _, each := range series {
		given = append(given, each[0], each[1])
	}
	builder := labels.NewBuilder(labels.FromStrings(given...))
	if !relabel.ProcessBuilder(builder, found...) {
		return nil
	}
	left := []pair{}
	builder.Labels().Range(func(label labels.Label) {
		left = append(left, pair{label.Name, label.Value})
	})
	return left
}

func main() {
	in := json.NewDecoder(bufio.NewReader(os.Stdin))
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for in.More() {
		var asked question
		if err := in.Decode(&asked); err != nil {
			panic(err)
		}
		var said answer
		found, err := rules(asked.Rules)
		if err != nil {
			said.Error = err.Error()
		}
		for _, series := range asked.Series {
			if err == nil {
				said.Results = append(said.Results, relabelled(found, series))
			}
		}
		if err := json.NewEncoder(out).Encode(said); err != nil {
			panic(err)
		}
	}
}
