//! Conditions as nodes: a group is followed by what is in it.

use super::{Builder, since};
use crate::flags::model::{Comparison, Condition, ConditionKind, Literal, NOW, Test};
use crate::flags::network::Network;
use crate::flags::pattern::Pattern;
use crate::flags::table::{NOW_SLOT, Node, Op, PatternRow, Range, VersionRow, node_bits};
use crate::flags::version;

impl<'s> Builder<'s> {
    /// The nodes of conditions that must all hold.
    pub(super) fn nodes(&mut self, conditions: &'s [Condition]) -> Range {
        let start = self.table.nodes.len();
        for condition in conditions {
            self.node(condition);
        }
        since(start, self.table.nodes.len())
    }

    fn node(&mut self, condition: &'s Condition) {
        let at = self.table.nodes.len();
        let not = if condition.not { node_bits::NOT } else { 0 };
        let mut node =
            Node { op: Op::Never, bits: not, slot: NOW_SLOT, end: 0, a: Range::default(), b: Range::default() };
        self.table.nodes.push(node);
        match &condition.kind {
            ConditionKind::Segment(name) => {
                node.op = Op::Segment;
                node.a.start = self.segments.get(name.as_str()).copied().unwrap_or(u32::MAX);
            }
            ConditionKind::All(within) | ConditionKind::Any(within) => {
                let is_all = matches!(condition.kind, ConditionKind::All(_));
                node.op = if is_all { Op::All } else { Op::Any };
                for condition in within {
                    self.node(condition);
                }
            }
            ConditionKind::Attribute { name, test, ci } => {
                if name != NOW {
                    node.slot = self.slots.get(name.as_str()).copied().unwrap_or(NOW_SLOT);
                }
                if *ci {
                    node.bits |= node_bits::CI;
                }
                self.test(test, *ci, &mut node);
            }
        }
        node.end = self.table.nodes.len() as u32;
        if let Some(place) = self.table.nodes.get_mut(at) {
            *place = node;
        }
    }

    fn test(&mut self, test: &Test, ci: bool, node: &mut Node) {
        match test {
            Test::In(literals) => self.literals(literals, ci, node),
            Test::Eq(literal) => self.literals(std::slice::from_ref(literal), ci, node),
            Test::Ne(literal) => {
                self.literals(std::slice::from_ref(literal), ci, node);
                node.bits ^= node_bits::NOT;
            }
            Test::StartsWith(texts) => (node.op, node.a) = (Op::StartsWith, self.texts(texts, ci)),
            Test::EndsWith(texts) => (node.op, node.a) = (Op::EndsWith, self.texts(texts, ci)),
            Test::Contains(texts) => (node.op, node.a) = (Op::Contains, self.texts(texts, ci)),
            Test::Number(comparison, number) => {
                node.op = match comparison {
                    Comparison::Gt => Op::Gt,
                    Comparison::Gte => Op::Gte,
                    Comparison::Lt => Op::Lt,
                    Comparison::Lte => Op::Lte,
                };
                node.b = self.numbers(&[*number]);
            }
            Test::Before(ms, _) => (node.op, node.b) = (Op::Before, self.numbers(&[*ms as f64])),
            Test::After(ms, _) => (node.op, node.b) = (Op::After, self.numbers(&[*ms as f64])),
            Test::Semver(text) => {
                let Some(found) = version::comparisons(text) else { return };
                let start = self.table.versions.len();
                for (relation, version) in found {
                    let before = self.intern(version.before);
                    self.table.versions.push(VersionRow { relation, core: version.core, before });
                }
                (node.op, node.a) = (Op::Semver, since(start, self.table.versions.len()));
            }
            Test::Cidr(texts) => {
                let start = self.table.networks.len();
                self.table.networks.extend(texts.iter().filter_map(|text| Network::parse(text)));
                (node.op, node.a) = (Op::Cidr, since(start, self.table.networks.len()));
            }
            Test::Exists(is_there) => {
                node.op = Op::Exists;
                node.bits |= if *is_there { node_bits::TRUE } else { 0 };
            }
            Test::Regex(text) => {
                let row = PatternRow { text: self.intern(text), ci, pattern: Pattern::new(text, ci).ok() };
                node.op = if row.pattern.is_some() { Op::Regex } else { Op::Never };
                node.a.start = self.table.patterns.len() as u32;
                self.table.patterns.push(row);
            }
            Test::Unknown(..) => node.op = Op::Never,
        }
    }

    fn literals(&mut self, literals: &[Literal], ci: bool, node: &mut Node) {
        node.op = Op::In;
        let mut texts = Vec::new();
        let mut numbers = Vec::new();
        for literal in literals {
            match literal {
                Literal::Text(text) => texts.push(text.clone()),
                Literal::Number(number) => numbers.push(*number),
                Literal::Bool(true) => node.bits |= node_bits::TRUE,
                Literal::Bool(false) => node.bits |= node_bits::FALSE,
            }
        }
        node.a = self.texts(&texts, ci);
        let Range { start, len } = node.a;
        let Self { table, .. } = self;
        let text = &table.text;
        if let Some(rows) = table.texts.get_mut(start as usize..(start + len) as usize) {
            rows.sort_unstable_by_key(|row| &text[row.start as usize..row.end() as usize]);
        }
        numbers.sort_unstable_by(f64::total_cmp);
        node.b = self.numbers(&numbers);
    }

    fn texts(&mut self, texts: &[String], ci: bool) -> Range {
        let start = self.table.texts.len();
        for text in texts {
            let row = self.folded(text, ci);
            self.table.texts.push(row);
        }
        since(start, self.table.texts.len())
    }

    fn numbers(&mut self, numbers: &[f64]) -> Range {
        let start = self.table.numbers.len();
        self.table.numbers.extend_from_slice(numbers);
        since(start, self.table.numbers.len())
    }
}
