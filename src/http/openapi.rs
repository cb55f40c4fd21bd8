//! The OpenAPI 3.1 document, made from the table of routes.

use serde_json::{Map, Value, json};

use super::call::Call;
use super::exchange::{Cx, Next};
use super::routes::{ADMIN_PATH, Operation, ROUTES, Root, Route};
use super::{PROBLEM_JSON, Response};

/// `GET /openapi.json`.
pub(super) fn document(_: &Call, cx: &mut Cx<'_>) -> Next {
    let base_path = cx.monitor.settings().base_path.clone();
    Next::Respond(Response::json(200, "application/json", &made(&base_path)))
}

fn made(base_path: &str) -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let root = if route.root == Root::Admin { ADMIN_PATH } else { base_path };
        let operations =
            route.operations.iter().map(|operation| (operation.method.text().to_lowercase(), told(route, operation)));
        paths.insert([root, route.path].concat(), operations.collect::<Map<_, _>>().into());
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Seawall", "version": env!("CARGO_PKG_VERSION"), "license": { "name": "MIT OR Apache-2.0" } },
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" },
                "access": { "type": "apiKey", "in": "header", "name": "Cf-Access-Jwt-Assertion" },
            },
            "schemas": {
                "Problem": {
                    "type": "object",
                    "required": ["code", "title", "status", "detail"],
                    "properties": {
                        "code": { "type": "string" },
                        "title": { "type": "string" },
                        "status": { "type": "integer" },
                        "detail": { "type": "string" },
                        "instance": { "type": "string" },
                        "requestId": { "type": "string" },
                    },
                },
            },
        },
    })
}

fn told(route: &Route, operation: &Operation) -> Value {
    let problem = json!({
        "description": "A problem",
        "content": { PROBLEM_JSON: { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    let mut told = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "responses": { "200": { "description": operation.summary }, "default": problem },
    });
    if route.root == Root::Admin {
        told["security"] = json!([{ "token": [] }, { "access": [] }]);
        told["x-for-tenants"] = operation.is_for_tenants.into();
        told["x-role"] = operation.role.text().into();
    }
    let name = route.path.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(name, _)| name);
    if let Some(name) = name {
        told["parameters"] = json!([{ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }]);
    }
    told
}
