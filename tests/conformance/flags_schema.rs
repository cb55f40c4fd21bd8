//! The published JSON Schema of flags says what the reader takes: the same names, the same bounds.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use seawall::flags::model;
use seawall::flags::parse::condition::{CONDITION, OPERATORS};
use seawall::flags::parse::rule::{RULE, SPLIT, WEIGHT};
use seawall::flags::parse::{DOCUMENT, FLAG, REQUIREMENT};
use serde_json::{Value, json};

fn schema() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/flags.schema.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn names(schema: &Value) -> BTreeSet<&str> {
    schema["properties"].as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn the_schema_has_the_names_that_are_read() {
    let schema = schema();
    let definition = |name: &str| &schema["definitions"][name];
    assert_eq!(names(&schema), BTreeSet::from(DOCUMENT));
    assert_eq!(names(definition("flag")), BTreeSet::from(FLAG));
    assert_eq!(names(definition("requirement")), BTreeSet::from(REQUIREMENT));
    assert_eq!(names(definition("rule")), BTreeSet::from(RULE));
    assert_eq!(names(definition("split")), BTreeSet::from(SPLIT));
    assert_eq!(names(definition("weight")), BTreeSet::from(WEIGHT));
    let mut conditions: BTreeSet<&str> = names(definition("group"));
    conditions.extend(names(definition("attribute")));
    assert_eq!(conditions, CONDITION.into_iter().chain(OPERATORS).collect());
}

#[test]
fn the_schema_has_the_bounds_that_are_checked() {
    let schema = schema();
    for (path, bound) in [
        ("/properties/flags/maxProperties", model::FLAGS_MAX),
        ("/properties/segments/maxProperties", model::SEGMENTS_MAX),
        ("/properties/segments/additionalProperties/maxItems", model::CONDITIONS_MAX),
        ("/definitions/name/maxLength", model::NAME_MAX),
        ("/definitions/salt/maxLength", model::NAME_MAX),
        ("/definitions/by/oneOf/1/maxItems", model::BY_MAX),
        ("/definitions/flag/properties/variants/maxProperties", model::VARIANTS_MAX),
        ("/definitions/flag/properties/requires/maxItems", model::REQUIRES_MAX),
        ("/definitions/flag/properties/rules/maxItems", model::RULES_MAX),
        ("/definitions/flag/properties/maxAge/oneOf/0/maximum", usize::try_from(model::AGE_MAX_MS).unwrap()),
        ("/definitions/rule/properties/if/maxItems", model::CONDITIONS_MAX),
        ("/definitions/group/properties/any/maxItems", model::CONDITIONS_MAX),
        ("/definitions/group/properties/all/maxItems", model::CONDITIONS_MAX),
        ("/definitions/attribute/properties/in/maxItems", model::VALUES_MAX),
        ("/definitions/texts/oneOf/1/maxItems", model::VALUES_MAX),
        ("/definitions/texts/oneOf/0/maxLength", model::LITERAL_MAX),
        ("/definitions/attribute/properties/regex/maxLength", model::REGEX_MAX),
        ("/definitions/rule/properties/serve/oneOf/3/maxItems", model::VARIANTS_MAX),
        ("/definitions/rule/properties/serve/oneOf/2/additionalProperties/maxItems", model::RANGES_MAX),
    ] {
        assert_eq!(schema.pointer(path), Some(&json!(bound)), "{path}");
    }
}

#[test]
fn the_document_that_is_shown_can_be_read() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/flags.md")).unwrap();
    let (_, rest) = page.split_once("```json").unwrap();
    let (document, _) = rest.split_once("```").unwrap();
    let (flags, warnings) = seawall::flags::FlagSet::parse_with_warnings(document).unwrap();
    assert!(warnings.is_empty() && flags.compile().is_ok());
}
