//! Unleash's client specification, by way of the importer: every case that its own clients are held to.

use std::fs;
use std::path::{Path, PathBuf};

use seawall::clock::Instant;
use seawall::flags::import::unleash;
use seawall::flags::{Context, Flags, Found, Moment, Overrides, Table, Val};
use serde_json::{Value, json};

/// How many cases version 6.1.0 has.
const CASES: usize = 279;

fn specifications() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("node_modules/@unleash/client-specification");
    let version = fs::read_to_string(package.join("package.json")).unwrap_or_else(|_| {
        panic!("Unleash's client specification is not there. Install it: npm ci");
    });
    let version: Value = serde_json::from_str(&version).unwrap();
    assert_eq!(version["version"], "6.1.0", "another version has other cases: npm ci");
    package.join("specifications")
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// What is known, by name: fields of the context, then its properties.
fn known(context: &Value) -> Vec<(String, String)> {
    let fields =
        context.as_object().into_iter().flatten().chain(context["properties"].as_object().into_iter().flatten());
    fields.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

/// Milliseconds of `2022-01-29T13:00:00.000Z`, for hosts that need no dates of their own.
fn moment(context: &Value) -> Moment {
    let now = context["currentTime"].as_str().map_or(1_800_000_000_000, |text| {
        let digits: Vec<u64> = text.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect();
        let [2022, 1, day, hours, minutes, seconds, millis] = digits[..] else { panic!("{text}") };
        1_640_995_200_000 + ((((day - 1) * 24 + hours) * 60 + minutes) * 60 + seconds) * 1_000 + millis
    });
    Moment { now: Instant(now), confirmed_at: Instant(now), random: 4_242 }
}

/// What Unleash would say: whether the feature is enabled, and its variant.
fn answers(flags: &Flags, name: &str, context: &Value) -> (bool, Value) {
    let disabled = |is_enabled: bool| json!({ "name": "disabled", "enabled": false, "feature_enabled": is_enabled });
    let Some(flag) = flags.table().find(name) else { return (false, disabled(false)) };
    let known = known(context);
    let value =
        |name: &str| known.iter().find(|(found, _)| found == name).map_or(Val::Missing, |(_, value)| Val::Text(value));
    let values: Vec<Val<'_>> = flags.table().attributes().map(value).collect();
    let decision = flags.evaluate(flag, Context::new(&values).unwrap(), moment(context));
    let is_enabled = decision.is_matched();
    let variant = flags.variant(flag, &decision).unwrap_or("off");
    if !is_enabled || variant == "on" {
        return (is_enabled, disabled(is_enabled));
    }
    let payload = match flags.value(flag, &decision) {
        Some(Found::Text(text)) => json!({ "type": "string", "value": text }),
        Some(Found::Number(number)) => json!({ "type": "number", "value": number.to_string() }),
        other => panic!("{other:?}"),
    };
    (true, json!({ "name": variant, "payload": payload, "enabled": true, "feature_enabled": true }))
}

/// FLG-06, FLG-07 and FLG-09: what Unleash's own clients are held to holds after an import: 279 of 279.
#[test]
fn unleash_is_imported_exactly() {
    let folder = specifications();
    let names = read(&folder.join("index.json"));
    let (mut passed, mut failed) = (0, Vec::new());
    for name in names.as_array().unwrap() {
        let specification = read(&folder.join(name.as_str().unwrap()));
        let imported =
            unleash::import(&specification["state"].to_string()).unwrap_or_else(|faults| panic!("{name}: {faults:?}"));
        let table = imported.flags.compile().unwrap();
        // Once as it was imported, and once as an isolate loads it.
        let loaded = Table::decode(&table.encode()).unwrap();
        let (fresh, loaded) = (Flags::new(table, Overrides::NONE), Flags::new(loaded, Overrides::NONE));
        let tests = specification["tests"].as_array().into_iter().flatten().map(|test| (test, false));
        let variants = specification["variantTests"].as_array().into_iter().flatten().map(|test| (test, true));
        for (test, is_variant) in tests.chain(variants) {
            let expected = &test["expectedResult"];
            let is_right = [&fresh, &loaded].iter().all(|flags| {
                let (is_enabled, variant) = answers(flags, test["toggleName"].as_str().unwrap(), &test["context"]);
                if is_variant { variant == *expected } else { json!(is_enabled) == *expected }
            });
            if is_right { passed += 1 } else { failed.push(format!("{name}: {}", test["description"])) }
        }
    }
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
    assert_eq!(passed, CASES);
}

/// FLG-06: a share and variants of Unleash have the same users here, counted against its formulas.
#[test]
fn no_user_moves() {
    let state = json!({ "features": [{ "name": "f", "enabled": true, "strategies": [{
        "name": "flexibleRollout", "parameters": { "rollout": "25", "stickiness": "default", "groupId": "g" },
        "variants": [{ "name": "A", "weight": 1 }, { "name": "B", "weight": 2 }],
    }] }] });
    let table = unleash::import(&state.to_string()).unwrap().flags.compile().unwrap();
    let flags = Flags::new(table, Overrides::NONE);
    let mut is_in = 0;
    for n in 0..20_000 {
        let id = format!("user{n}@example.com");
        let text = format!("g:{id}");
        let expected = if murmur(text.as_bytes(), 0) % 100 < 25 {
            is_in += 1;
            if murmur(text.as_bytes(), 86_028_157).is_multiple_of(3) { "A" } else { "B" }
        } else {
            "disabled"
        };
        assert_eq!(answers(&flags, "f", &json!({ "userId": id })).1["name"], expected, "{id}");
    }
    assert!((4_800..5_200).contains(&is_in), "{is_in}");
}

/// `MurmurHash3` as its author has it, byte by byte: not ours.
fn murmur(bytes: &[u8], seed: u32) -> u32 {
    let scramble = |k: u32| k.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let mut hash = seed;
    for block in bytes.chunks(4) {
        let k = (0..block.len()).fold(0, |k, at| k | u32::from(block[at]) << (8 * at));
        hash ^= scramble(k);
        if block.len() == 4 {
            hash = hash.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
        }
    }
    hash ^= bytes.len() as u32;
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}
