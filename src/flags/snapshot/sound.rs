//! Whether tables that somebody else wrote can be: each position is there, nothing goes in circles, and no evaluation is longer
//! than one of a document that was read may be.

use crate::flags::bucket::BUCKETS;
use crate::flags::check::REGEX_WORK;
use crate::flags::model::{
    AGE_MAX_MS, ATTRIBUTES_MAX, BY_MAX, FLAGS_MAX, NESTING_MAX, REQUIRES_DEPTH_MAX, TARGETING_KEY, VARIANTS_MAX,
    WORK_MAX,
};
use crate::flags::table::{
    FlagRow, MILLIONTHS, NO_SHARE, NONE, NOW_SLOT, Node, Op, RANDOM_SLOT, Range, RuleRow, Table,
};

#[inline(never)]
pub(super) fn is_sound(table: &Table) -> bool {
    // First, because it bounds what the rest takes.
    if !is_used_once(table) {
        return false;
    }
    let is_text = |range| is_text(table, range);
    let names_rise = || table.flags.is_sorted_by(|one, other| table.bytes(one.name) < table.bytes(other.name));
    let segments = |range: Range| nodes(table, range, false);
    let Some(segments): Option<Vec<u32>> = table.segments.iter().map(|(range, _)| segments(*range)).collect() else {
        return false;
    };
    table.flags.len() <= FLAGS_MAX
        && (1..=ATTRIBUTES_MAX).contains(&table.attributes.len())
        && table.attributes.first().is_some_and(|name| table.part(*name) == TARGETING_KEY)
        && table.attributes.iter().chain(&table.texts).all(|range| is_text(*range))
        && table.segments.iter().all(|(_, name)| is_text(*name))
        && table.variants.iter().all(|row| is_text(row.name) && is_text(row.text) && row.number.is_finite())
        && table.versions.iter().all(|row| is_text(row.before))
        && table.networks.iter().all(|network| network.length <= if network.is_v6 { 128 } else { 32 })
        && table.numbers.iter().all(|number| number.is_finite())
        && table.flags.iter().all(|row| is_text(row.name) && flag(table, row))
        && names_rise()
        && work(table, &segments)
}

/// Whether rows belong to one owner each, so that going through all owners' rows is going through the tables once.
fn is_used_once(table: &Table) -> bool {
    let sum = |ranges: &mut dyn Iterator<Item = Range>| ranges.fold(0, |sum: u64, range| sum + u64::from(range.len));
    let of_flags = |part: fn(&FlagRow) -> Range| sum(&mut table.flags.iter().map(part));
    let of_nodes = |ops: &[Op], part: fn(&Node) -> Range| {
        sum(&mut table.nodes.iter().filter(|node| ops.contains(&node.op)).map(part))
    };
    let segments = table.segments.iter().map(|(nodes, _)| *nodes);
    let with_texts = [Op::In, Op::StartsWith, Op::EndsWith, Op::Contains];
    of_flags(|row| row.variants) == table.variants.len() as u64
        && of_flags(|row| row.requires) == table.requires.len() as u64
        && of_flags(|row| row.rules) == table.rules.len() as u64
        && sum(&mut table.rules.iter().map(|row| row.nodes).chain(segments)) == table.nodes.len() as u64
        && sum(&mut table.rules.iter().map(|row| row.bounds)) == table.bounds.len() as u64
        && of_nodes(&with_texts, |node| node.a) == table.texts.len() as u64
        && of_nodes(&[Op::Semver], |node| node.a) == table.versions.len() as u64
        && of_nodes(&[Op::Cidr], |node| node.a) == table.networks.len() as u64
}

// Short functions, so that an isolate that has just begun compiles little.
#[inline(never)]
fn is_text(table: &Table, range: Range) -> bool {
    table.text.get(range.start as usize..range.end() as usize).is_some()
}

fn is_there<T>(range: Range, rows: &[T]) -> bool {
    is_within(range, rows.len())
}

#[inline(never)]
fn is_within(range: Range, length: usize) -> bool {
    (range.start as usize).checked_add(range.len as usize).is_some_and(|end| end <= length)
}

fn flag(table: &Table, row: &FlagRow) -> bool {
    let variants = row.variants.len;
    let is_variant = |place: u16| u32::from(place) < variants;
    let is_optional = |place: u16| place == NONE || is_variant(place);
    is_there(row.variants, &table.variants)
        && is_there(row.requires, &table.requires)
        && is_there(row.rules, &table.rules)
        && is_variant(row.default)
        && is_optional(row.on)
        && is_optional(row.off)
        && row.age_max_ms <= AGE_MAX_MS
        && (row.rollout_rule == NONE || u32::from(row.rollout_rule) < row.rules.len)
        && is_by(table, row.by)
        && row.requires.of(&table.requires).iter().all(|requirement| {
            (requirement.flag as usize) < table.flags.len()
                && requirement.variants.len as usize <= VARIANTS_MAX
                && is_there(requirement.variants, &table.shorts)
        })
        && row.rules.of(&table.rules).iter().all(|row| rule(table, row, variants))
}

#[inline(never)]
fn is_by(table: &Table, range: Range) -> bool {
    let is_slot = |slot: &u16| *slot == RANDOM_SLOT || usize::from(*slot) < table.attributes.len();
    (1..=BY_MAX).contains(&(range.len as usize))
        && is_there(range, &table.shorts)
        && range.of(&table.shorts).iter().all(is_slot)
}

#[inline(never)]
fn rule(table: &Table, row: &RuleRow, variants: u32) -> bool {
    let bounds = row.bounds.of(&table.bounds);
    let is_served = if row.bounds.len == 0 {
        u32::from(row.serve) < variants
    } else {
        is_there(row.bounds, &table.bounds)
            && bounds.is_sorted_by(|(one, _), (other, _)| one < other)
            && bounds.last().is_some_and(|(to, _)| *to == if row.modulus == MILLIONTHS { BUCKETS } else { row.modulus })
            && bounds.iter().all(|(_, variant)| u32::from(*variant) < variants)
    };
    is_served
        && table.text.get(row.name.start as usize..row.name.end() as usize).is_some()
        && is_by(table, row.by)
        && is_by(table, row.split_by)
        && (row.share <= BUCKETS || row.share == NO_SHARE)
        && is_there(row.nodes, &table.nodes)
}

/// What looking at those nodes takes, segments aside; none if they cannot be.
#[inline(never)]
fn nodes(table: &Table, range: Range, may_name_segments: bool) -> Option<u32> {
    if !is_there(range, &table.nodes) {
        return None;
    }
    // Where the groups end that the next node is in.
    let mut ends = [range.end(); NESTING_MAX + 1];
    let mut depth = 0;
    let mut work: u32 = 0;
    for (at, node) in (range.start..).zip(range.of(&table.nodes)) {
        while depth > 0 && ends.get(depth) == Some(&at) {
            depth -= 1;
        }
        let is_group = matches!(node.op, Op::All | Op::Any);
        let is_within = node.end > at && ends.get(depth).is_some_and(|end| node.end <= *end);
        if !is_within || (!is_group && node.end != at + 1) {
            return None;
        }
        work = work.saturating_add(1).saturating_add(one(table, node, may_name_segments)?);
        if is_group && node.end > at + 1 {
            depth += 1;
            *ends.get_mut(depth)? = node.end;
        }
    }
    Some(work)
}

#[inline(never)]
fn one(table: &Table, node: &Node, may_name_segments: bool) -> Option<u32> {
    let is_slot = usize::from(node.slot) < table.attributes.len();
    let is_number = node.b.len == 1 && is_there(node.b, &table.numbers);
    let (is_right, work) = match node.op {
        Op::All | Op::Any | Op::Never => (true, 0),
        Op::Segment => (may_name_segments && (node.a.start as usize) < table.segments.len(), 0),
        Op::In => (is_slot && is_list(table, node), 0),
        Op::StartsWith | Op::EndsWith | Op::Contains => (is_slot && is_there(node.a, &table.texts), node.a.len),
        Op::Gt | Op::Gte | Op::Lt | Op::Lte => (is_slot && is_number, 0),
        Op::Before | Op::After => ((is_slot || node.slot == NOW_SLOT) && is_number, 0),
        Op::Semver => (is_slot && is_there(node.a, &table.versions), node.a.len),
        Op::Cidr => (is_slot && is_there(node.a, &table.networks), node.a.len),
        Op::Exists => (is_slot, 0),
        Op::Regex => (is_slot && (node.a.start as usize) < table.patterns.len(), REGEX_WORK),
    };
    is_right.then_some(work)
}

#[inline(never)]
fn is_list(table: &Table, node: &Node) -> bool {
    let texts = node.a.of(&table.texts);
    let rise = texts.is_sorted_by(|one, other| table.bytes(*one) <= table.bytes(*other));
    rise && is_there(node.a, &table.texts) && is_there(node.b, &table.numbers)
}

/// Whether no flag requires itself, no chain is too long, and no evaluation takes too much.
fn work(table: &Table, segments: &[u32]) -> bool {
    let mut known: Vec<Option<(usize, u32)>> = vec![None; table.flags.len()];
    (0..table.flags.len()).all(|flag| cost(table, segments, flag, 1, &mut known).is_some())
}

fn cost(
    table: &Table,
    segments: &[u32],
    flag: usize,
    depth: usize,
    known: &mut [Option<(usize, u32)>],
) -> Option<(usize, u32)> {
    if let Some(cost) = known.get(flag).copied().flatten() {
        return Some(cost);
    }
    // A circle is a chain that does not end.
    let row = table.flags.get(flag).filter(|_| depth <= REQUIRES_DEPTH_MAX)?;
    let (mut deepest, mut work) = (1, rules_cost(table, segments, row)?);
    for requirement in row.requires.of(&table.requires) {
        let (below, more) = cost(table, segments, requirement.flag as usize, depth + 1, known)?;
        deepest = deepest.max(below + 1);
        work = work.saturating_add(more);
    }
    if deepest > REQUIRES_DEPTH_MAX || work > WORK_MAX {
        return None;
    }
    if let Some(place) = known.get_mut(flag) {
        *place = Some((deepest, work));
    }
    Some((deepest, work))
}

/// What a flag takes by itself.
#[inline(never)]
fn rules_cost(table: &Table, segments: &[u32], row: &FlagRow) -> Option<u32> {
    let mut work = 1_u32;
    for rule in row.rules.of(&table.rules) {
        work = work.saturating_add(1).saturating_add(nodes(table, rule.nodes, true)?);
        for node in rule.nodes.of(&table.nodes).iter().filter(|node| node.op == Op::Segment) {
            work = work.saturating_add(*segments.get(node.a.start as usize)?);
        }
    }
    Some(work)
}
