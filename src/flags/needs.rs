//! Which attributes a flag asks for: who asks for one flag need not tell the others.

use super::model::REQUIRES_DEPTH_MAX;
use super::table::{FlagIndex, Node, Op, Range, Table};

impl Table {
    /// The slots of all attributes that a flag asks for, itself or by what it requires, rising.
    #[must_use]
    pub fn needs(&self, flag: FlagIndex) -> Vec<u16> {
        let mut asked = vec![false; self.attributes.len()];
        // The time and chance have slots that are no attribute's.
        let mut ask = |slot: u16| _ = asked.get_mut(usize::from(slot)).map(|asked| *asked = true);
        self.each_need(flag, 1, &mut ask);
        (0_u16..).zip(asked).filter(|(_, asked)| *asked).map(|(slot, _)| slot).collect()
    }

    fn each_need(&self, flag: FlagIndex, depth: usize, ask: &mut impl FnMut(u16)) {
        let Some(row) = self.row(flag) else { return };
        // Of the rule that a variable may make, too.
        row.by.of(&self.shorts).iter().copied().for_each(&mut *ask);
        for rule in row.rules.of(&self.rules) {
            let ids = rule.by.of(&self.shorts).iter().chain(rule.split_by.of(&self.shorts));
            ids.copied().for_each(&mut *ask);
            self.each_need_of_nodes(rule.nodes, ask);
        }
        // What is deeper is never asked.
        if depth < REQUIRES_DEPTH_MAX {
            let others = row.requires.of(&self.requires).iter();
            others.for_each(|other| self.each_need(FlagIndex(other.flag), depth + 1, ask));
        }
    }

    fn each_need_of_nodes(&self, nodes: Range, ask: &mut impl FnMut(u16)) {
        for node in nodes.of(&self.nodes) {
            match node {
                Node { op: Op::All | Op::Any, .. } => {}
                Node { op: Op::Segment, a, .. } => {
                    let within = self.segments.get(a.start as usize).map(|(nodes, _)| *nodes).unwrap_or_default();
                    // Segments do not name each other.
                    within.of(&self.nodes).iter().filter(|node| node.op.asks()).for_each(|node| ask(node.slot));
                }
                Node { slot, .. } => ask(*slot),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::flags::FlagSet;

    #[test]
    fn a_flag_needs_what_it_and_those_that_it_requires_ask_for() {
        let text = r#"{"version":1,
            "segments":{"staff":[{"any":[{"attr":"email","endsWith":"@a"},{"attr":"team","exists":true}]}]},
            "flags":{
                "plain":{},
                "share":{"rules":[{"rollout":25,"serve":"on"}]},
                "split":{"rules":[{"by":["account","user"],"rollout":25,"serve":{"on":50,"off":50},"split":{"by":"session"}}]},
                "chance":{"rules":[{"by":["$random"],"rollout":25,"serve":"on"}]},
                "timed":{"rules":[{"if":[{"attr":"$now","after":"2026-01-01"}],"serve":"on"}]},
                "staff":{"rules":[{"if":[{"segment":"staff"},{"all":[{"attr":"age","gte":18}]}],"serve":"on"}]},
                "outer":{"requires":[{"flag":"staff","is":["on"]}],"rules":[{"if":[{"attr":"plan","eq":"pro"}],"serve":"on"}]}
            }}"#;
        let table = FlagSet::parse(text).unwrap().compile().unwrap();
        let names: Vec<&str> = table.attributes().collect();
        let needs = |key: &str| {
            let mut found: Vec<&str> =
                table.needs(table.find(key).unwrap()).iter().map(|slot| names[usize::from(*slot)]).collect();
            found.sort_unstable();
            found
        };
        let id = "targetingKey";
        assert_eq!(needs("plain"), [id]);
        assert_eq!(needs("share"), [id]);
        assert_eq!(needs("split"), ["account", "session", id, "user"]);
        assert_eq!(needs("chance"), [id]);
        assert_eq!(needs("timed"), [id]);
        assert_eq!(needs("staff"), ["age", "email", id, "team"]);
        assert_eq!(needs("outer"), ["age", "email", "plan", id, "team"]);
    }
}
