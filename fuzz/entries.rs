//! What is fuzzed: each function takes bytes that somebody else chose, and panics if a promise is broken. The corpus beside this
//! file is replayed by a test of the ring `properties`, so that what was once found stays found.
#![allow(dead_code)]

use std::sync::OnceLock;

use seawall::clock::Instant;
use seawall::flags::import::{flagd, growthbook, launchdarkly, unleash};
use seawall::flags::moves::who_moves;
use seawall::flags::packed::{Attributes, number};
use seawall::flags::snapshot::seal;
use seawall::flags::{Context, FlagSet, Flags, Moment, Overrides, Table, Val};

/// All kinds of conditions, for contexts that are chosen by somebody else.
const RICH: &str = r#"{"version":1,"kill":["gone"],"segments":{"staff":[{"attr":"a","endsWith":["@acme.com","é"],"ci":true}]},"flags":{
 "first":{"rules":[{"rollout":50,"by":["a","b"],"serve":"on"}]},
 "x":{"variants":{"A":"a","B":{"c":[1]},"off":null},"requires":[{"flag":"first","is":["on"],"not":true}],"rules":[
  {"if":[{"segment":"staff","not":true},{"attr":"a","in":["DE","5",true,7],"ci":true}],"serve":"A"},
  {"if":[{"any":[{"attr":"b","semver":">=1.2.3-rc.1 <3.0.0"},{"attr":"b","cidr":["10.0.0.0/8","2001:db8::/32"]},{"attr":"c","before":"2026-01-01T00:00:00Z"}]}],"serve":"B"},
  {"if":[{"attr":"c","contains":"x","ci":true},{"attr":"a","startsWith":"y"}],"serve":"A"},
  {"if":[{"attr":"c","gte":-1.5},{"attr":"d","exists":false}],"serve":"A"},
  {"if":[{"attr":"d","regex":"^(a+)+b?[[:alpha:]]{1,9}$"}],"serve":"B"},
  {"if":[{"attr":"d","fromTheFuture":1}],"serve":"B"},
  {"rollout":99.9999,"by":["d","$random"],"serve":{"A":[[0,10],[20,100]],"B":[[10,20]]},"split":{"by":"c","salt":"s"}}]}}}"#;

/// A document is read or refused with reasons, and what was read is exported, compiled and read again as the same.
pub(crate) fn document(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match FlagSet::parse(text) {
        Err(faults) => assert!((1..=100).contains(&faults.len())),
        Ok(read) => {
            let exported = read.to_json().to_string();
            let again = FlagSet::parse(&exported).expect("what was exported is read");
            assert_eq!(again, read);
            let table = read.compile().expect("what was read is compiled");
            let loaded = Table::decode(&table.encode()).expect("what was compiled is a snapshot");
            assert_eq!(loaded.encode(), table.encode());
            ask(&Flags::new(loaded, Overrides::NONE), b"u");
        }
    }
}

/// Bytes are a snapshot or are refused, with the checksums that they have and with right ones. One that is taken can be asked.
pub(crate) fn snapshot(bytes: &[u8]) {
    _ = Table::decode(bytes);
    let mut sealed = bytes.to_vec();
    if let Some(start) = sealed.first_chunk_mut::<16>() {
        *start = *b"SWFLAGS\n\x01\0\0\0\x01\0\0\0";
    }
    seal(&mut sealed);
    if let Ok(table) = Table::decode(&sealed) {
        ask(&Flags::new(table, Overrides::NONE), b"user\xff\x01\xff\x02");
    }
}

/// A document up to the first zero byte, or one of ours, is asked about somebody whom the rest describes.
pub(crate) fn evaluate(bytes: &[u8]) {
    let at = bytes.iter().position(|byte| *byte == 0).unwrap_or(0);
    let (document, context) = bytes.split_at(at);
    // Ours is made once: making it takes longer than asking it.
    static OURS: OnceLock<(FlagSet, Table)> = OnceLock::new();
    let made = |set: FlagSet| {
        let table = set.compile().expect("what was read is compiled");
        (set, table)
    };
    let theirs = std::str::from_utf8(document).ok().and_then(|text| FlagSet::parse(text).ok());
    let (set, table) =
        theirs.map_or_else(|| OURS.get_or_init(|| made(FlagSet::parse(RICH).expect("this is right"))).clone(), made);
    let variables = std::str::from_utf8(context).unwrap_or("true");
    let overrides = Overrides::read(&table, [("FEATURE_FIRST", variables), ("ROLLOUT_NEW", variables)], &set.kill);
    let flags = Flags::new(table, overrides.unwrap_or_default());
    ask(&flags, context);
    // As another language would enter somebody.
    let mut kept = Attributes::default();
    if kept.read(flags.table().attributes().len(), context) {
        for flag in flags.table().all() {
            let decision = flags.evaluate(flag, Context::from(&kept), Moment::default());
            assert_eq!(decision, flags.evaluate_in_full(flag, Context::from(&kept), Moment::default()));
        }
    }
}

/// A document of another engine is ours afterwards, or is refused with reasons.
pub(crate) fn import(bytes: &[u8]) {
    let Some((which, text)) = bytes.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let imported = match which % 4 {
        0 => unleash::import(text),
        1 => flagd::import(text),
        2 => growthbook::import(text),
        _ => launchdarkly::import(text),
    };
    match imported {
        Err(faults) => assert!((1..=100).contains(&faults.len())),
        Ok(imported) => {
            let again =
                FlagSet::parse(&imported.flags.to_json().to_string()).expect("what was imported is exported and read");
            assert_eq!(again, imported.flags);
            ask(&Flags::new(imported.flags.compile().expect("it compiles"), Overrides::NONE), b"u");
        }
    }
}

/// Evaluates all flags for somebody, explains them, and compares them with themselves.
fn ask(flags: &Flags, bytes: &[u8]) {
    let texts: Vec<String> =
        bytes.split(|byte| *byte == 0xff).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
    let values: Vec<Val<'_>> = flags
        .table()
        .attributes()
        .enumerate()
        .map(|(slot, _)| match texts.get(slot % texts.len().max(1)).map(String::as_str) {
            None => Val::Missing,
            Some("\u{1}") => Val::Bool(slot % 2 == 0),
            Some(text) if text.starts_with('\u{2}') => Val::Number(f64::from_bits(
                text.bytes().fold(slot as u64, |bits, byte| bits.rotate_left(8) ^ u64::from(byte)),
            )),
            Some(text) => Val::Text(text),
        })
        .collect();
    let Ok(context) = Context::new(&values) else { return };
    let moment = Moment {
        now: Instant(1_800_000_000_000),
        confirmed_at: Instant(1_799_999_000_000),
        random: bytes.len() as u64,
    };
    for flag in flags.table().all() {
        let decision = flags.evaluate(flag, context, moment);
        assert_eq!(decision, flags.evaluate(flag, context, moment));
        // Whatever plan it has.
        assert_eq!(decision, flags.evaluate_in_full(flag, context, moment));
        assert_eq!(number(&decision), flags.evaluate_packed(flag, context, moment).0);
        assert_eq!(flags.explain(flag, context, moment).reason, decision.reason.text());
        assert!(flags.value(flag, &decision).is_some() || flags.variant(flag, &decision).is_none());
    }
    let known: Vec<(&str, Val<'_>)> = flags.table().attributes().zip(values.iter().copied()).collect();
    for moved in who_moves(flags, flags, &[&known], moment) {
        assert!(moved.only_enrols() && moved.enrolled == 0, "{moved:?}");
    }
}
