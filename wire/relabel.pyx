"""Relabel rules and the memory of what RE2 said. The contract is in relabel.pyi, the loop over rules in relabel.pxd."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from wire.arena cimport arena_free, arena_take
from wire.canonical cimport LabelPair, sort_labels
from wire.label_builder cimport NOWHERE, SLOT_KEYS, builder_free, builder_put, slot_key
from wire.murmur3 cimport murmur3_x64_128
from wire.relabel_memo cimport Memo, MemoEntry, Text, memo_add, memo_bytes, memo_free, memo_hash
from wire.relabel_rules cimport (
    Branch, DROP, EXACT, KEEP, LABEL_DROP, LABEL_KEEP, LABEL_MAP, LOWERCASE, NO_GROUP, Part, REPLACE, Rule, Span, Template,
    UPPERCASE
)

from collections import OrderedDict

from wire.automaton import finder, matcher
from wire.letter_case import lowercase, uppercase
from wire.relabel_regex import AnchoredRegex, branches
from wire.relabel_template import parse_template

ACTIONS = (
    "replace", "keep", "drop", "keepequal", "dropequal", "hashmod", "labelmap", "labeldrop", "labelkeep", "lowercase",
    "uppercase",
)

MATCHING = (REPLACE, KEEP, DROP, LABEL_MAP, LABEL_DROP, LABEL_KEEP)

cdef enum:
    MAX_DROPS = 32   # words of a labeldrop, up to which each has a slot
    HASHED_FROM = 8  # exact alternatives, from which on a hash is faster than trying them one by one


class _Spec:
    """One rule as RE2 carries it out."""

    def __init__(self, rule):
        self.action = ACTIONS.index(rule.action)
        regex = AnchoredRegex(rule.regex)
        # Only where a target label is a template is it expanded.
        is_template = self.action == REPLACE and "$" in rule.target_label
        self.target = parse_template(rule.target_label, regex.names) if is_template else None
        self.replacement = parse_template(rule.replacement, regex.names)
        captures = any(isinstance(part, int) and part for part in [*(self.target or ()), *self.replacement])
        self.branches, self.automaton, self.regex = [], None, None
        if self.action in MATCHING:
            self.branches = branches(rule.regex, captures=captures)
        if self.branches is None:
            self.automaton = (finder(rule.regex) if captures else None) or matcher(rule.regex)
            # Not asked where the kernel can say all that there is to be said.
            if self.automaton is None or captures > bool(self.automaton.marks):
                self.regex = regex

    def drops(self):
        """Names of the labels that a labeldrop of a few words takes off."""
        if self.action != LABEL_DROP or self.branches is None or len(self.branches) > MAX_DROPS:
            return []
        words = [each.prefix for each in self.branches if each.wild == EXACT and each.prefix]
        return words if len(words) == len(self.branches) else []

    def of(self, value):
        """Whether it matches, the target and the result."""
        if self.action in (LOWERCASE, UPPERCASE):
            text = value.decode()
            return True, b"", (lowercase(text) if self.action == LOWERCASE else uppercase(text)).encode()
        groups = self.regex.groups(value)
        if groups is None:
            return False, b"", b""
        return True, _expanded(self.target or (), groups), _expanded(self.replacement, groups)


def _expanded(parts, groups):
    return b"".join([groups[part] if isinstance(part, int) else part for part in parts])


cdef Text text_of(bytes data):
    cdef Text text
    text.data = <const uint8_t*>PyBytes_AS_STRING(data)
    text.size = <uint32_t>PyBytes_GET_SIZE(data)
    return text


cdef const MemoEntry* resolve(void* owner, Memo* memo, uint32_t rule, Text value) noexcept with gil:
    """Asks RE2, and keeps what it says; NULL without memory."""
    cdef MemoEntry entry
    try:
        matched, target, result = (<RelabelRules>owner).specs[rule].of(value.data[:value.size])
        entry.hash = memo_hash(rule, value)
        entry.rule = rule
        entry.matched = matched
        entry.value = value
        entry.target = text_of(target)
        entry.result = text_of(result)
        return memo_add(memo, &entry)
    except MemoryError:
        return NULL


cdef class MemoBox:
    def __dealloc__(self):
        memo_free(&self.memo)


cdef class RelabelMemos:
    def __init__(self, max_bytes):
        self.max_bytes = max_bytes
        self.idle = OrderedDict()

    @property
    def idle_bytes(self):
        return self.bytes

    cdef MemoBox take(self, RelabelRules rules):
        boxes = self.idle.get(rules)
        cdef MemoBox box
        if not boxes:
            box = MemoBox()
            box.memo.max_bytes = self.max_bytes // 16
            return box
        box = boxes.pop()
        self.bytes -= memo_bytes(&box.memo)
        return box

    cdef object give(self, RelabelRules rules, MemoBox box):
        cdef MemoBox oldest
        self.idle.setdefault(rules, []).append(box)
        self.idle.move_to_end(rules)
        self.bytes += memo_bytes(&box.memo)
        while self.bytes > self.max_bytes:
            longest_idle, boxes = next(iter(self.idle.items()))
            if boxes:
                oldest = boxes.pop(0)
                self.bytes -= memo_bytes(&oldest.memo)
            if not boxes:
                del self.idle[longest_idle]


cdef class RelabelRules:
    def __cinit__(self):
        memset(&self.rules.slots.heads, 0xFF, sizeof(self.rules.slots.heads))

    def __init__(self, rules, memos=None):
        if self.kept is not None:
            raise TypeError("rules are made once")
        self.memos = memos if memos is not None else RelabelMemos(1 << 20)
        self.kept = []
        self.specs = [_Spec(rule) for rule in rules]
        self.rules.count = len(self.specs)
        self.rules.keeps_order = any(rule.action == "labelmap" for rule in rules)
        self.rules.rules = <Rule*>self.room(len(self.specs) * sizeof(Rule))
        slots = self.make_slots(rules)
        for number, rule in enumerate(rules):
            self.make_rule(&self.rules.rules[number], number, rule, slots)

    def __len__(self):
        return self.rules.count

    def __dealloc__(self):
        arena_free(&self.arena)

    cdef void* room(self, size_t size) except NULL:
        """Zeroed."""
        cdef void* memory = arena_take(&self.arena, size if size else 1)
        if memory == NULL:
            raise MemoryError
        memset(memory, 0, size)
        return memory

    cdef Text text(self, bytes data):
        self.kept.append(data)
        return text_of(data)

    cdef dict make_slots(self, rules):
        """A slot for every label that is named as it stands."""
        cdef uint32_t slot, key
        names = []
        for rule, spec in zip(rules, self.specs, strict=True):
            names += [name.encode() for name in rule.source_labels]
            if spec.target is None and rule.target_label:
                names.append(rule.target_label.encode())
            names += spec.drops()
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        self.rules.slots.count = len(numbers)
        self.rules.slots.names = <Text*>self.room(len(numbers) * sizeof(Text))
        self.rules.slots.next = <int32_t*>self.room(len(numbers) * sizeof(int32_t))
        for name, slot in numbers.items():
            self.rules.slots.names[slot] = self.text(name)
            key = slot_key(self.rules.slots.names[slot].data, self.rules.slots.names[slot].size)
            self.rules.slots.next[slot] = self.rules.slots.heads[key]
            self.rules.slots.heads[key] = slot
        return numbers

    cdef object make_rule(self, Rule* made, uint32_t number, rule, dict slots):
        cdef int32_t* sources
        spec = self.specs[number]
        made.action = spec.action
        made.number = number
        made.source_count = len(rule.source_labels)
        sources = <int32_t*>self.room(made.source_count * sizeof(int32_t))
        for i, name in enumerate(rule.source_labels):
            sources[i] = slots[name.encode()]
        made.sources = sources
        made.separator = self.text(rule.separator.encode())
        made.modulus = rule.modulus
        made.target = NOWHERE
        if spec.target is None and rule.target_label:
            made.target = slots[rule.target_label.encode()]
        made.target_template = self.template(spec.target or ())
        made.replacement = self.template(spec.replacement)
        made.by_regex = spec.regex is not None
        if spec.branches is not None:
            self.make_branches(made, spec.branches)
        if spec.automaton is not None:
            self.make_automaton(made, spec.automaton)
        drops = spec.drops()
        made.drop_count = len(drops)
        sources = <int32_t*>self.room(len(drops) * sizeof(int32_t))
        for i, name in enumerate(drops):
            sources[i] = slots[name]
        made.drops = sources

    cdef Template template(self, parts) except *:
        cdef Template made
        cdef Part* each = <Part*>self.room(len(parts) * sizeof(Part))
        for i, part in enumerate(parts):
            if isinstance(part, int):
                each[i].group = part
            else:
                each[i].group = NO_GROUP
                each[i].text = self.text(part)
        made.parts = each
        made.count = len(parts)
        return made

    cdef object make_branches(self, Rule* made, found):
        cdef Branch* made_branches = <Branch*>self.room(len(found) * sizeof(Branch))
        cdef Span* spans
        cdef uint32_t exact = 0
        for i, branch in enumerate(found):
            made_branches[i].wild = branch.wild
            made_branches[i].prefix = self.text(branch.prefix)
            made_branches[i].suffix = self.text(branch.suffix)
            spans = <Span*>self.room(len(branch.spans) * sizeof(Span))
            for n, span in enumerate(branch.spans):
                if span is not None:
                    spans[n].taken = True
                    spans[n].start = span.start
                    spans[n].end = span.end
            made_branches[i].spans = spans
            made_branches[i].span_count = len(branch.spans)
            exact += branch.wild == EXACT
        made.branches = made_branches
        made.branch_count = len(found)
        if exact >= HASHED_FROM:
            self.make_exact(made, exact)

    cdef object make_exact(self, Rule* made, uint32_t count):
        cdef uint32_t* table
        cdef uint32_t i, at
        cdef Text text
        cdef uint32_t room = 16
        while room < 2 * count:
            room *= 2
        table = <uint32_t*>self.room(room * sizeof(uint32_t))
        for i in range(made.branch_count):
            if made.branches[i].wild != EXACT:
                continue
            text = made.branches[i].prefix
            at = <uint32_t>murmur3_x64_128(text.data, text.size, 0).low & (room - 1)
            while table[at]:  # of two that are the same, the first is found
                at = (at + 1) & (room - 1)
            table[at] = i + 1
            made.exact_sizes |= <uint64_t>1 << (text.size if text.size < 63 else 63)
        made.exact = table
        made.only_exact = count == made.branch_count
        made.exact_room = room

    cdef const uint8_t* buffer(self, data) except NULL:
        """The bytes of an array, kept."""
        cdef bytes kept = data.tobytes()
        self.kept.append(kept)
        return <const uint8_t*>PyBytes_AS_STRING(kept)

    cdef object make_automaton(self, Rule* made, automaton):
        made.automaton.classes = self.text(automaton.classes).data
        made.automaton.width = automaton.width
        made.automaton.next = <const uint16_t*>self.buffer(automaton.next)
        made.automaton.accepts = <const uint32_t*>self.buffer(automaton.accepts)
        if automaton.marks:
            made.automaton.marks = <const uint32_t*>self.buffer(automaton.marks)

    cdef int begin(self, Relabeler* r) except -1:
        """Fills it in; `end` must follow, whatever happens."""
        cdef MemoBox box
        memset(r, 0, sizeof(Relabeler))
        r.rules = &self.rules
        r.owner = <void*>self
        r.builder.slots = &self.rules.slots
        r.builder.keeps_order = self.rules.keeps_order
        r.last = <const MemoEntry**>calloc(self.rules.count + 1, sizeof(MemoEntry*))
        r.builder.at = <int32_t*>calloc(self.rules.slots.count + 1, sizeof(int32_t))
        r.recent = <Recent*>calloc(self.rules.count + 1, sizeof(Recent))
        box = self.memos.take(self)
        r.box = <void*>box
        Py_INCREF(box)
        r.memo = &box.memo
        if r.last == NULL or r.recent == NULL or r.builder.at == NULL:
            raise MemoryError
        return 0

    cdef object end(self, Relabeler* r):
        free(r.last)
        free(r.recent)
        builder_free(&r.builder)
        if r.box != NULL:
            box = <MemoBox>r.box
            Py_DECREF(box)
            self.memos.give(self, box)

    def apply(self, labels):
        cdef Relabeler r
        cdef LabelPair pair
        cdef int result
        cdef uint32_t i
        cdef Text text
        memset(&r, 0, sizeof(Relabeler))
        ordered = sorted(labels)
        try:
            self.begin(&r)
            relabel_begin(&r)
            for name, value in ordered:
                text = text_of(name)
                pair.name = text.data
                pair.name_size = text.size
                text = text_of(value)
                pair.value = text.data
                pair.value_size = text.size
                if builder_put(&r.builder, &pair) < 0:
                    raise MemoryError
            with nogil:
                result = relabel(&r)
            if result == RELABEL_NO_MEMORY:
                raise MemoryError
            if result == DROPPED:
                return None
            if result in (TOO_MANY, OVERGROWN):
                raise ValueError("labels outgrow what can be stored")
            if result == SAME:
                return ordered
            sort_labels(r.builder.pairs, r.builder.count)
            return [
                (
                    r.builder.pairs[i].name[:r.builder.pairs[i].name_size],
                    r.builder.pairs[i].value[:r.builder.pairs[i].value_size],
                )
                for i in range(r.builder.count)
            ]
        finally:
            self.end(&r)
