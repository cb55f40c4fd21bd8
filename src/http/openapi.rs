//! The OpenAPI 3.1 document, made from the table of routes and, for what a table of Rust says badly, `schemas.json`: the
//! shapes of bodies, and what may stand in queries.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::call::Call;
use super::exchange::{Cx, Next};
use super::routes::{ADMIN_PATH, OFREP_PATH};
use super::table::{Method, Operation, ROUTES, Root, Route};
use super::{PROBLEM_JSON, Response};

const SCHEMAS: &str = include_str!("schemas.json");

/// `schemas.json`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    /// By the id of an operation of the table.
    operations: BTreeMap<String, Shape>,
    parameters: Map<String, Value>,
    /// What may stand in a path for the part in braces.
    paths: BTreeMap<String, Value>,
    schemas: Map<String, Value>,
}

/// What is said of one operation.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Shape {
    /// The status when all is well.
    status: u16,
    /// The schema of its JSON.
    response: Option<String>,
    /// Schemas by media type, where there are others than JSON.
    #[serde(default)]
    types: BTreeMap<String, String>,
    /// Schemas of JSON by other statuses that are no problems.
    #[serde(default)]
    others: BTreeMap<String, String>,
    body: Option<String>,
    #[serde(default)]
    body_optional: bool,
    #[serde(default)]
    parameters: Vec<String>,
    /// Statuses of problems, beside those that all operations of its kind have.
    #[serde(default)]
    problems: Vec<u16>,
}

/// `GET /openapi.json`.
pub(super) fn document(_: &Call, cx: &mut Cx<'_>) -> Next {
    let base_path = cx.monitor.settings().base_path.clone();
    Next::Respond(Response::json(200, "application/json", &made(&base_path)))
}

/// The document of routes below `base_path`, and of all admin routes.
#[must_use]
pub fn made(base_path: &str) -> Value {
    // A test has read it.
    let said: Said = serde_json::from_str(SCHEMAS).unwrap_or_default();
    let mut paths = Map::new();
    for route in ROUTES {
        let root = match route.root {
            Root::Base => base_path,
            Root::Ofrep => OFREP_PATH,
            Root::Admin => ADMIN_PATH,
        };
        let mut item: Map<String, Value> = route
            .operations
            .iter()
            .map(|operation| (operation.method.text().to_lowercase(), told(&said, route, operation)))
            .collect();
        if let Some(name) = in_braces(route.path) {
            let schema = said.paths.get(route.path).cloned().unwrap_or_else(|| json!({ "type": "string" }));
            item.insert(
                "parameters".to_owned(),
                json!([{ "name": name, "in": "path", "required": true, "schema": schema }]),
            );
        }
        paths.insert([root, route.path].concat(), item.into());
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Seawall",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" },
                "apiKey": { "type": "apiKey", "in": "header", "name": "X-API-Key" },
                "access": { "type": "apiKey", "in": "header", "name": "Cf-Access-Jwt-Assertion" },
            },
            "parameters": said.parameters,
            "schemas": said.schemas,
        },
    })
}

fn in_braces(path: &str) -> Option<&str> {
    path.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(name, _)| name)
}

fn told(said: &Said, route: &Route, operation: &Operation) -> Value {
    let nothing = Shape::default();
    let shape = said.operations.get(operation.id).unwrap_or(&nothing);
    let is_write = operation.method != Method::Get && !operation.is_question && route.root == Root::Admin;
    let mut told = json!({ "operationId": operation.id, "summary": operation.summary });
    told["responses"] = responses(shape, route, operation).into();
    let mut parameters: Vec<Value> = shape.parameters.iter().map(|name| refer("parameters", name)).collect();
    if is_write {
        parameters.push(refer("parameters", "idempotencyKey"));
    }
    if !parameters.is_empty() {
        told["parameters"] = parameters.into();
    }
    if let Some(body) = &shape.body {
        told["requestBody"] = json!({
            "required": !shape.body_optional,
            "content": content([("application/json", body.as_str())]),
        });
        told["x-body-bytes-max"] = operation.body_max.into();
    }
    if route.root == Root::Ofrep {
        told["security"] = json!([{ "token": [] }, { "apiKey": [] }, {}]);
        told["x-role"] = operation.role.text().into();
    }
    if route.root == Root::Admin {
        told["security"] = json!([{ "token": [] }, { "access": [] }]);
        told["x-for-tenants"] = operation.is_for_tenants.into();
        told["x-role"] = operation.role.text().into();
    }
    told
}

fn responses(shape: &Shape, route: &Route, operation: &Operation) -> Map<String, Value> {
    let types = shape.types.iter().map(|(media_type, schema)| (media_type.as_str(), schema.as_str()));
    let json_of = |schema| content([("application/json", schema)]);
    let done = shape.response.iter().map(|schema| ("application/json", schema.as_str())).chain(types);
    let mut done = json!({ "description": operation.summary, "content": content(done) });
    if operation.id == "evaluateFlags" {
        let schema = json!({ "type": "string", "pattern": "^\"[0-9a-f-]+\"$" });
        done["headers"] =
            json!({ "ETag": { "description": "For If-None-Match.", "required": true, "schema": schema } });
    }
    let is_versioned = matches!(shape.response.as_deref(), Some("Order" | "Tenant" | "TenantPage" | "Backup"));
    if is_versioned {
        let schema = json!({ "type": "string", "pattern": "^\"[0-9a-f]+\"$" });
        done["headers"] = json!({ "ETag": { "description": "For If-Match.", "required": true, "schema": schema } });
    }
    let mut responses = Map::from_iter([(shape.status.to_string(), done)]);
    if operation.id == "evaluateFlags" {
        responses.insert("304".to_owned(), json!({ "description": "It says what If-None-Match names." }));
    }
    if operation.method == Method::Get && shape.response.as_deref() == Some("Order") {
        let description = "It is the version that If-None-Match names.";
        responses.insert("304".to_owned(), json!({ "description": description }));
    }
    for (status, schema) in &shape.others {
        let description = if route.root == Root::Ofrep { status.parse().map_or("", meaning) } else { "Not well" };
        responses.insert(status.clone(), json!({ "description": description, "content": json_of(schema.as_str()) }));
    }
    let of_admin: &[u16] = if route.root == Root::Admin { &[401, 403, 404, 429, 503] } else { &[] };
    let of_writes: &[u16] =
        if operation.method == Method::Get || route.root == Root::Ofrep { &[] } else { &[400, 409, 413, 415, 422] };
    for status in shape.problems.iter().chain(of_admin).chain(of_writes) {
        let content = content([(PROBLEM_JSON, "Problem")]);
        responses
            .entry(status.to_string())
            .or_insert_with(|| json!({ "description": meaning(*status), "content": content }));
    }
    responses
}

/// What a status of a problem means; its `code` says more.
const fn meaning(status: u16) -> &'static str {
    match status {
        400 => "Malformed",
        401 => "Nobody who is let in",
        403 => "Not allowed",
        404 => "Not there",
        409 => "Somebody else came first, or it was done before",
        412 => "Another version is there",
        413 => "The body is too long",
        415 => "Only JSON that is not encoded is taken",
        422 => "It cannot be taken as it is",
        428 => "Say which version is replaced",
        429 => "Too much at once: see Retry-After",
        503 => "The store did not answer, or the routes are closed",
        507 => "There is no more room",
        _ => "What the store holds cannot be used",
    }
}

fn content<'a>(schemas: impl IntoIterator<Item = (&'a str, &'a str)>) -> Value {
    let schemas = schemas
        .into_iter()
        .map(|(media_type, schema)| (media_type.to_owned(), json!({ "schema": refer("schemas", schema) })));
    Value::Object(schemas.collect())
}

fn refer(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operation_of_the_table_has_its_shape_and_no_other() {
        let said: Said = serde_json::from_str(SCHEMAS).unwrap();
        let mut operations: Vec<&str> = Vec::new();
        for route in ROUTES {
            let has_braces = in_braces(route.path).is_some();
            assert_eq!(said.paths.contains_key(route.path), has_braces, "{}", route.path);
            operations.extend(route.operations.iter().map(|operation| operation.id));
        }
        operations.sort_unstable();
        assert_eq!(said.operations.keys().map(String::as_str).collect::<Vec<_>>(), operations);
        let mut named: Vec<&String> = said.operations.values().flat_map(|shape| &shape.parameters).collect();
        assert!(named.iter().all(|name| said.parameters.contains_key(*name)));
        named.sort_unstable();
        named.dedup();
        assert_eq!(named.len() + 1, said.parameters.len(), "one is of all writes");
    }

    #[test]
    fn what_is_referred_to_is_there() {
        fn refers(value: &Value, found: &mut Vec<String>) {
            match value {
                Value::Object(members) => {
                    found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                    members.values().for_each(|value| refers(value, found));
                }
                Value::Array(items) => items.iter().for_each(|value| refers(value, found)),
                _ => {}
            }
        }
        let document = made("/api");
        let mut found = Vec::new();
        refers(&document, &mut found);
        assert!(found.len() > 100);
        for pointer in found {
            assert!(document.pointer(&pointer[1..]).is_some(), "{pointer}");
        }
    }
}
