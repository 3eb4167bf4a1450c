"""Relabelling of one series at a time, without the GIL but where a value must be shown to RE2."""

from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from wire.arena cimport Arena, arena_take
from wire.automaton_walk cimport ENDS, automaton_finds, automaton_matches
from wire.canonical cimport LabelPair
from wire.label_builder cimport (
    Builder, MAX_BUILT, NOWHERE, builder_begin, builder_find, builder_finish, builder_get, builder_put, builder_set,
    builder_take_out, slot_of
)
from wire.md5 cimport md5_last_half
from wire.relabel_memo cimport Memo, MemoEntry, Text, memo_find, memo_hash, memo_turn
from wire.relabel_rules cimport (
    DROP, DROP_EQUAL, HASH_MOD, KEEP, KEEP_EQUAL, LABEL_DROP, LABEL_KEEP, LABEL_MAP, LOWERCASE, REPLACE, Rule,
    Groups, Rules, Template, UPPERCASE, expand, simple_match
)
from wire.utf8 cimport is_ascii

cdef enum:
    SAME = 0              # the labels are as they were
    CHANGED = 1           # and not in order
    DROPPED = 2
    TOO_MANY = 3          # on the way: more than MAX_BUILT
    OVERGROWN = 4         # a text of more than MAX_GROWN, or texts of more than MAX_TEXTS
    RELABEL_NO_MEMORY = -2

    RECENT_BYTES = 60
    MAX_GROWN = 1 << 20   # more than a record holds
    MAX_TEXTS = 1 << 24

cdef struct Recent:
    uint32_t size              # 0: there is none
    bint matched
    uint8_t value[RECENT_BYTES]
    int32_t ends[ENDS]

cdef struct Relabeler:
    # One call's use of the rules.
    const Rules* rules
    void* owner                # the RelabelRules, which must outlive it
    Memo* memo
    void* box                  # the MemoBox that holds it
    const MemoEntry** last     # by rule: what its last value came to in the memo
    Recent* recent             # and in its automaton
    Builder builder

cdef struct Match:
    bint matched
    Groups groups
    const MemoEntry* known     # what RE2 said; it has expanded templates, too

cdef const MemoEntry* resolve(void* owner, Memo* memo, uint32_t rule, Text value) noexcept with gil


cdef class RelabelRules:
    cdef Rules rules
    cdef Arena arena       # what the rules are made of
    cdef list kept         # bytes that texts of the rules point into
    cdef list specs        # what resolve asks, by rule
    cdef RelabelMemos memos
    cdef void* room(self, size_t size) except NULL
    cdef Text text(self, bytes data)
    cdef dict make_slots(self, rules)
    cdef object make_rule(self, Rule* made, uint32_t number, rule, dict slots)
    cdef Template template(self, parts) except *
    cdef object make_branches(self, Rule* made, found)
    cdef object make_exact(self, Rule* made, uint32_t count)
    cdef object make_automaton(self, Rule* made, automaton)
    cdef const uint8_t* buffer(self, data) except NULL
    cdef int begin(self, Relabeler* r) except -1
    cdef object end(self, Relabeler* r)


cdef class MemoBox:
    cdef Memo memo


cdef class RelabelMemos:
    cdef size_t max_bytes
    cdef size_t bytes
    cdef object idle       # boxes by rules, those that were used last behind the others
    cdef MemoBox take(self, RelabelRules rules)
    cdef object give(self, RelabelRules rules, MemoBox box)


cdef inline int recall(Relabeler* r, const Rule* rule, Text value, Match* out) noexcept nogil:
    """What RE2 says, out of the memo where it was asked before. -1 without memory."""
    cdef const MemoEntry* known = r.last[rule.number]
    # Series of one target follow each other, and share most values.
    if known == NULL or known.value.size != value.size or memcmp(known.value.data, value.data, value.size):
        if rule.automaton.width and not automaton_matches(&rule.automaton, value):
            out.matched = False
            return 0
        known = memo_find(r.memo, memo_hash(rule.number, value), rule.number, value)
        if known == NULL:
            known = resolve(r.owner, r.memo, rule.number, value)
            if known == NULL:
                return -1
        r.last[rule.number] = known
    out.known = known
    out.matched = known.matched
    return 0

cdef inline void walk_value(Relabeler* r, const Rule* rule, Text value, Match* out) noexcept nogil:
    """What the rule's automaton says, or said of the same value just before."""
    cdef Recent* recent = &r.recent[rule.number]
    if recent.size == 0 or recent.size != value.size or memcmp(recent.value, value.data, value.size):
        if rule.automaton.marks != NULL:
            recent.matched = automaton_finds(&rule.automaton, value, recent.ends)
        else:
            recent.matched = automaton_matches(&rule.automaton, value)
        recent.size = 0
        if value.size <= RECENT_BYTES:
            recent.size = value.size
            memcpy(recent.value, value.data, value.size)
    out.matched = recent.matched
    out.groups.ends = recent.ends

cdef inline int match(Relabeler* r, const Rule* rule, Text value, Match* out) noexcept nogil:
    out.groups.branch = NULL
    out.groups.ends = NULL
    out.known = NULL
    if rule.by_regex:
        return recall(r, rule, value, out)
    if rule.automaton.width:
        walk_value(r, rule, value, out)
        return 0
    out.groups.branch = simple_match(rule, value)
    out.matched = out.groups.branch != NULL
    return 0

cdef inline int joined(Relabeler* r, const Rule* rule, Text* out) noexcept nogil:
    """The values of the source labels. -1 without memory."""
    cdef uint64_t size = 0
    cdef uint32_t i
    cdef uint8_t* data
    cdef Text value
    if rule.source_count == 1:
        out[0] = builder_get(&r.builder, rule.sources[0])
        return 0
    out.data = <const uint8_t*>b""
    out.size = 0
    if rule.source_count == 0:
        return 0
    for i in range(rule.source_count):
        size += builder_get(&r.builder, rule.sources[i]).size + rule.separator.size
    size -= rule.separator.size
    data = arena_take(&r.builder.texts, size) if size <= 0xFFFFFFFFu else NULL
    if data == NULL:
        return -1
    out.data = data
    out.size = <uint32_t>size
    for i in range(rule.source_count):
        if i:
            memcpy(data, rule.separator.data, rule.separator.size)
            data += rule.separator.size
        value = builder_get(&r.builder, rule.sources[i])
        memcpy(data, value.data, value.size)
        data += value.size
    return 0

cdef inline int replace(Relabeler* r, const Rule* rule, Text value) noexcept nogil:
    """0, OVERGROWN, or -1 without memory."""
    cdef Match m
    cdef Text target, result
    cdef int32_t slot = rule.target
    if match(r, rule, value, &m) < 0:
        return -1
    if not m.matched:
        return 0
    if rule.by_regex:
        result = m.known.result
    elif expand(&r.builder.texts, &rule.replacement, value, &m.groups, &result) < 0:
        return -1
    if result.size > MAX_GROWN:
        return OVERGROWN
    if slot != NOWHERE:
        return builder_set(&r.builder, r.rules.slots.names[slot], slot, result)
    if rule.by_regex:
        target = m.known.target
    elif expand(&r.builder.texts, &rule.target_template, value, &m.groups, &target) < 0:
        return -1
    if target.size == 0:
        return 0
    if target.size > MAX_GROWN:
        return OVERGROWN
    return builder_set(&r.builder, target, slot_of(&r.rules.slots, target.data, target.size), result)

cdef inline int fold(Relabeler* r, const Rule* rule, Text value) noexcept nogil:
    """Lower or upper case, letter by letter."""
    cdef Match m
    cdef Text result
    cdef uint8_t* data
    cdef uint8_t first = 65 if rule.action == LOWERCASE else 97
    cdef uint32_t i
    if not is_ascii(value.data, value.size):
        if recall(r, rule, value, &m) < 0:
            return -1
        result = m.known.result
    else:
        data = arena_take(&r.builder.texts, value.size)
        if data == NULL:
            return -1
        result.data = data
        result.size = value.size
        for i in range(value.size):
            data[i] = value.data[i] ^ 32 if <uint8_t>(value.data[i] - first) < 26 else value.data[i]
    return builder_set(&r.builder, r.rules.slots.names[rule.target], rule.target, result)

cdef inline int hash_mod(Relabeler* r, const Rule* rule, Text value) noexcept nogil:
    cdef uint64_t number = md5_last_half(value.data, value.size) % rule.modulus
    cdef uint8_t* end = arena_take(&r.builder.texts, 20)
    cdef Text result
    if end == NULL:
        return -1
    end += 20
    result.data = end
    while True:
        result.data -= 1
        (<uint8_t*>result.data)[0] = <uint8_t>(48 + number % 10)
        number //= 10
        if number == 0:
            break
    result.size = <uint32_t>(end - result.data)
    return builder_set(&r.builder, r.rules.slots.names[rule.target], rule.target, result)

cdef inline int each_label(Relabeler* r, const Rule* rule) noexcept nogil:
    """labelmap, labeldrop and labelkeep: the rule over every name that is there now. -1 without memory."""
    cdef Builder* b = &r.builder
    cdef uint32_t count = b.count
    cdef LabelPair* before
    cdef uint32_t i
    cdef Text name, value, target
    cdef Match m
    if rule.drop_count:
        for i in range(rule.drop_count):
            if b.at[rule.drops[i]] != NOWHERE:
                builder_take_out(b, b.at[rule.drops[i]])
        return 0
    # Setting labels overwrites values that are still to be copied, so labelmap reads a copy.
    before = b.pairs
    if rule.action == LABEL_MAP:
        before = <LabelPair*>arena_take(&b.texts, count * sizeof(LabelPair))
        if before == NULL:
            return -1
        memcpy(before, b.pairs, count * sizeof(LabelPair))
    for i in range(count):
        if before[i].name == NULL:
            continue
        name.data = before[i].name
        name.size = before[i].name_size
        if match(r, rule, name, &m) < 0:
            return -1
        if rule.action != LABEL_MAP:
            if m.matched == (rule.action == LABEL_DROP):
                builder_take_out(b, <int32_t>i)
            continue
        if not m.matched:
            continue
        value.data = before[i].value
        value.size = before[i].value_size
        if rule.by_regex:
            target = m.known.result
        elif expand(&b.texts, &rule.replacement, name, &m.groups, &target) < 0:
            return -1
        if builder_set(b, target, slot_of(&r.rules.slots, target.data, target.size), value) < 0:
            return -1
    return 0

cdef inline bint same_text(Text a, Text b) noexcept nogil:
    return a.size == b.size and memcmp(a.data, b.data, a.size) == 0

cdef inline int apply_rule(Relabeler* r, const Rule* rule) noexcept nogil:
    cdef Text value
    cdef Match m
    cdef int failed = 0
    if rule.action in (LABEL_MAP, LABEL_DROP, LABEL_KEEP):
        return RELABEL_NO_MEMORY if each_label(r, rule) < 0 else SAME
    if joined(r, rule, &value) < 0:
        return RELABEL_NO_MEMORY
    if rule.action in (KEEP, DROP):
        if match(r, rule, value, &m) < 0:
            return RELABEL_NO_MEMORY
        return DROPPED if m.matched == (rule.action == DROP) else SAME
    if rule.action in (KEEP_EQUAL, DROP_EQUAL):
        m.matched = same_text(builder_get(&r.builder, rule.target), value)
        return DROPPED if m.matched == (rule.action == DROP_EQUAL) else SAME
    if rule.action == REPLACE:
        failed = replace(r, rule, value)
    elif rule.action == HASH_MOD:
        failed = hash_mod(r, rule, value)
    else:
        failed = fold(r, rule, value)
    if failed:
        return RELABEL_NO_MEMORY if failed < 0 else failed
    return OVERGROWN if r.builder.texts.bytes > MAX_TEXTS else SAME

cdef inline void relabel_begin(Relabeler* r) noexcept nogil:
    """Before the labels of a series are put into the builder, in the order of their names."""
    if memo_turn(r.memo):
        memset(r.last, 0, r.rules.count * sizeof(MemoEntry*))
    builder_begin(&r.builder)

cdef inline int relabel(Relabeler* r) noexcept nogil:
    """Every rule over the labels in the builder, which hold what they became; see the results above."""
    cdef Builder* b = &r.builder
    cdef uint32_t i
    cdef int result
    for i in range(r.rules.count):
        result = apply_rule(r, &r.rules.rules[i])
        if result != SAME:
            return result
        if b.count > MAX_BUILT and b.count > 2 * b.base:
            return TOO_MANY
    if not b.changed:
        return SAME
    builder_finish(b)
    return CHANGED
