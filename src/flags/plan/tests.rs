use super::*;
use crate::flags::Flags;
use crate::flags::model::Kill;
use crate::flags::{FlagSet, Moment, Overrides};

/// The plan of a flag, in a word, and what it comes to for `user-1` from `DE`, aged 20.
fn plan(flag: &str, variables: &[(&str, &str)]) -> (&'static str, u16) {
    let text = format!(r#"{{"version":1,"flags":{{"other":{{}},"x":{flag}}}}}"#);
    let table = FlagSet::parse(&text).unwrap().compile().unwrap();
    let overrides = Overrides::read(&table, variables.iter().copied(), &Kill::default()).unwrap();
    let flags = Flags::new(table, overrides);
    let flag = flags.table().find("x").unwrap();
    let word = match Plan::of(&flags.question(Context::default(), Moment::default()), flag) {
        Plan::Same(_) => "same",
        Plan::Share { .. } => "share",
        Plan::Rules { .. } => "rules",
        Plan::Full => "full",
    };
    let value = |name: &str| match name {
        "targetingKey" => Val::Text("user-1"),
        "country" => Val::Text("DE"),
        "age" => Val::Number(20.0),
        _ => Val::Missing,
    };
    let values: Vec<Val<'_>> = flags.table().attributes().map(value).collect();
    let context = Context::new(&values).unwrap();
    let number = flags.evaluate_packed(flag, context, Moment::default()).0;
    (word, packed::variant_in(number).unwrap_or(NONE))
}

#[test]
fn most_flags_need_not_be_asked_in_full() {
    // Variants are in the order of their names: 0 is `off`, 1 is `on`.
    for (flag, expected) in [
        ("{}", ("same", 0)),
        (r#"{"default":"on"}"#, ("same", 1)),
        (r#"{"rules":[{"serve":"on"}]}"#, ("same", 1)),
        (r#"{"rules":[{"rollout":99,"serve":"on"}]}"#, ("share", 1)),
        (r#"{"rules":[{"rollout":0,"serve":"on"}]}"#, ("rules", 0)),
        (r#"{"rules":[{"serve":{"on":100,"off":0}}]}"#, ("same", 1)),
        (r#"{"rules":[{"serve":{"on":99,"off":1}}]}"#, ("rules", 1)),
        (r#"{"rules":[{"if":[{"attr":"country","in":["DE","a longer text"]}],"serve":"on"}]}"#, ("rules", 1)),
        (
            r#"{"rules":[{"if":[{"attr":"country","in":["AT","DE"]},{"attr":"age","gt":18}],"serve":"on"}]}"#,
            ("rules", 1),
        ),
        (r#"{"rules":[{"if":[{"attr":"country","in":["DE"],"not":true}],"serve":"on"}]}"#, ("rules", 0)),
        (r#"{"rules":[{"if":[{"attr":"age","lt":20}],"serve":"on"},{"rollout":99,"serve":"on"}]}"#, ("rules", 1)),
        (r#"{"rules":[{"by":["account","targetingKey"],"rollout":99,"serve":"on"}]}"#, ("full", 1)),
        (r#"{"maxAge":"5m","default":"on"}"#, ("full", 1)),
        (r#"{"requires":[{"flag":"other","is":["off"]}],"rules":[{"rollout":99,"serve":"on"}]}"#, ("full", 1)),
    ] {
        let variants = r#"{"variants":{"off":false,"on":true},"#;
        let flag = flag.replacen('{', variants, 1).replace(",}", "}");
        let flag = if flag.contains("\"default\"") { flag } else { flag.replacen('{', r#"{"default":"off","#, 1) };
        assert_eq!(plan(&flag, &[]), expected, "{flag}");
    }
    let share = r#"{"rules":[{"rollout":50,"serve":"on"}]}"#;
    assert_eq!(plan(share, &[("ROLLOUT_X", "1")]).0, "full");
    assert_eq!(plan(share, &[("FEATURE_X", "false")]).0, "same");
}
