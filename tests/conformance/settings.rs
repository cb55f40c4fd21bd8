//! What settings mean outside of the parser, held to the same files as the npm package's twin.

use seawall::config::document::{exported, imported};
use seawall::config::environment::detect;
use seawall::config::update::{patched, replaced};
use serde_json::{Value, json};

fn read(file: &str) -> Value {
    let path = format!("{}/tests/conformance/{file}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn cases(file: &Value, name: &str) -> Vec<Value> {
    let cases = file[name].as_array().unwrap().clone();
    assert!(cases.len() > 3);
    cases
}

/// EVD-01 to EVD-05: the environment is found in one place, by the same rule in both hosts.
#[test]
fn the_environment_is_found() {
    for case in read("environments.json").as_array().unwrap() {
        let variables = &case["variables"];
        let found = detect(|name| variables[name].as_str().map(str::to_owned));
        assert_eq!(found.as_deref(), case["is"].as_str(), "{variables}");
    }
}

/// CFG-09: what is exported holds what was set under its canonical names, sorted, and no secret.
#[test]
fn settings_are_exported() {
    for case in cases(&read("documents.json"), "exports") {
        let text = exported(&case["options"].to_string()).unwrap();
        assert!(!text.contains("secret"), "{text}");
        let document: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["settings"], case["settings"]);
        assert_eq!((&document["kind"], &document["schemaVersion"]), (&json!("seawall-config"), &json!(2)));
        if let Some(checksum) = case["checksum"].as_str() {
            assert_eq!(document["checksum"], checksum);
        }
        let again = imported(&text).and_then(|options| exported(&options)).unwrap();
        assert_eq!(again, text);
    }
}

/// CFG-04: documents of each older version are understood, and one that cannot be used is refused whole.
#[test]
fn documents_are_imported() {
    for case in cases(&read("documents.json"), "imports") {
        match imported(&case["document"].to_string()) {
            Ok(options) => assert_eq!(serde_json::from_str::<Value>(&options).unwrap(), case["options"]),
            Err(found) => {
                let problem = case["problem"].as_str().unwrap_or_else(|| panic!("{found} {case}"));
                assert_eq!(found.0, [format!("this is no document of settings: {problem}")]);
            }
        }
    }
}

/// CFG-02: a patch holds whole or not at all, under whatever names.
#[test]
fn settings_are_patched() {
    for case in cases(&read("documents.json"), "patches") {
        match patched(&case["options"].to_string(), &case["patch"].to_string()) {
            Ok(after) => assert_eq!(serde_json::from_str::<Value>(&after).unwrap(), case["after"]),
            Err(found) => assert_eq!(found.0.join("; "), case["problem"].as_str().unwrap_or_else(|| panic!("{found}"))),
        }
    }
}

#[test]
fn what_the_host_says_of_itself_survives_a_patch_and_an_import() {
    let before = json!({
        "platform": { "isProduction": true, "connectionsMax": 6, "database": "db" },
        "given": [["retry.attempts", "A_VARIABLE", "4"]],
        "state": { "near": true },
        "alerts": { "webhookUrl": "https://a.example" },
        "retry": { "jitter": 0 },
    })
    .to_string();
    let after: Value = serde_json::from_str(&patched(&before, r#"{"retry":{"jitter":1}}"#).unwrap()).unwrap();
    assert_eq!(after["platform"]["database"], "db");
    assert_eq!(after["given"][0][1], "A_VARIABLE");
    assert_eq!(after["alerts"]["webhookUrl"], "https://a.example");
    assert_eq!((&after["state"]["near"], &after["retry"]["jitter"]), (&json!(true), &json!(1)));
    let after: Value = serde_json::from_str(&replaced(&before, r#"{"hedge":{"delay":50}}"#).unwrap()).unwrap();
    assert_eq!((&after["retry"], &after["hedge"]["delay"]), (&Value::Null, &json!(50)));
    assert_eq!((&after["platform"]["database"], &after["state"]["near"]), (&json!("db"), &json!(true)));
    for host in ["platform", "given", "over"] {
        let patch = json!({ host: {} }).to_string();
        assert_eq!(patched(&before, &patch).unwrap_err().0, [format!("{host}: no such group of settings")]);
        assert!(replaced(&before, &patch).is_err());
    }
}
