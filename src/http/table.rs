//! The ONE table of routes: what lies where, who may do it, and what answers.

use super::call::Call;
use super::exchange::{Cx, Next};
use super::{BODY_MAX, alerts, audit, backup, control, dashboard, flags, health, logs, metrics, openapi};
use super::{ofrep, order_history, orders, tenants, tokens};
use crate::access::Role;
use crate::orders::Name;

/// One path of the table.
pub(super) struct Route {
    pub root: Root,
    /// Below the root. A part in braces stands for any one part of a path: it is handed on.
    pub path: &'static str,
    /// What can be done there, each with another method.
    pub operations: &'static [Operation],
}

/// Where a path lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    /// Below the base path, for everybody.
    Base,
    /// Below [`OFREP_PATH`](super::routes::OFREP_PATH), for those whom [`ofrep`](super::ofrep) lets in.
    Ofrep,
    /// Below [`ADMIN_PATH`](super::routes::ADMIN_PATH), for those whom [`auth`](super::auth) lets in.
    Admin,
}

/// What can be done at a path.
pub(super) struct Operation {
    pub method: Method,
    /// Its name for programs, which never changes.
    pub id: &'static str,
    /// What it does, for people.
    pub summary: &'static str,
    /// Most of a request's body, in bytes: hosts stop reading there.
    pub body_max: usize,
    /// The least role that may do it. Below [`Root::Base`] nobody is asked for one.
    pub role: Role,
    /// Whether somebody who is bound to one tenant may do it, if their role allows; its handler then asks
    /// [`Principal::sees`](crate::access::Principal::sees). To them everything else is not there.
    pub is_for_tenants: bool,
    /// Whether it changes nothing although it has a body: it is neither recorded nor done once.
    pub is_question: bool,
    pub begin: fn(call: &Call, cx: &mut Cx<'_>) -> Next,
}

/// A method of HTTP. Where there is [`Method::Get`] there is HEAD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Put,
    Post,
    Delete,
}

type Begin = fn(call: &Call, cx: &mut Cx<'_>) -> Next;

const fn get(id: &'static str, summary: &'static str, begin: Begin) -> Operation {
    Operation {
        method: Method::Get,
        id,
        summary,
        body_max: BODY_MAX,
        role: Role::Viewer,
        is_for_tenants: false,
        is_question: false,
        begin,
    }
}

const fn put(role: Role, id: &'static str, summary: &'static str, begin: Begin) -> Operation {
    Operation {
        method: Method::Put,
        id,
        summary,
        body_max: BODY_MAX,
        role,
        is_for_tenants: false,
        is_question: false,
        begin,
    }
}

const fn post(role: Role, id: &'static str, summary: &'static str, begin: Begin) -> Operation {
    Operation {
        method: Method::Post,
        id,
        summary,
        body_max: BODY_MAX,
        role,
        is_for_tenants: false,
        is_question: false,
        begin,
    }
}

/// Something that is asked with a body, because it is too long or too private for a query.
const fn question(id: &'static str, summary: &'static str, begin: Begin) -> Operation {
    Operation { is_question: true, ..post(Role::Viewer, id, summary, begin) }
}

const fn delete(role: Role, id: &'static str, summary: &'static str, begin: Begin) -> Operation {
    Operation {
        method: Method::Delete,
        id,
        summary,
        body_max: BODY_MAX,
        role,
        is_for_tenants: false,
        is_question: false,
        begin,
    }
}

const fn for_tenants(operation: Operation) -> Operation {
    Operation { is_for_tenants: true, ..operation }
}

/// What lies where.
pub(super) const ROUTES: &[Route] = &[
    Route {
        root: Root::Base,
        path: "/health",
        operations: &[get("health", "The health document of the first database", health::document)],
    },
    Route {
        root: Root::Base,
        path: "/health/live",
        operations: &[get("liveness", "Whether this isolate runs; asks nobody", health::liveness)],
    },
    Route {
        root: Root::Base,
        path: "/health/ready",
        operations: &[get("readiness", "Whether requests can be taken", health::readiness)],
    },
    Route {
        root: Root::Base,
        path: "/health/score",
        operations: &[get("score", "The health score and what lowered it", health::score)],
    },
    Route {
        root: Root::Base,
        path: "/status",
        operations: &[get("status", "What is known of all databases", health::overview)],
    },
    Route {
        root: Root::Base,
        path: "/dashboard",
        operations: &[get("dashboard", "A page that shows all of this to people", dashboard::page)],
    },
    Route {
        root: Root::Base,
        path: "/health/metrics",
        operations: &[get("metrics", "Metrics as text", metrics::text)],
    },
    Route {
        root: Root::Base,
        path: "/platform/metrics",
        operations: &[get("platformMetrics", "Metrics as text, under another path", metrics::text)],
    },
    Route {
        root: Root::Ofrep,
        path: "/evaluate/flags",
        operations: &[post(Role::Evaluator, "evaluateFlags", "What all flags are for somebody", ofrep::all)],
    },
    Route {
        root: Root::Ofrep,
        path: "/evaluate/flags/{key}",
        operations: &[post(Role::Evaluator, "evaluateFlag", "What a flag is for somebody", ofrep::one)],
    },
    Route {
        root: Root::Admin,
        path: "/orders/config",
        operations: &[
            get("readConfig", "The settings that hold", |call, _| orders::show(call, Name::Config)),
            put(Role::Admin, "replaceConfig", "Replaces the settings", |call, cx| {
                orders::replace(call, Name::Config, cx)
            }),
        ],
    },
    Route {
        root: Root::Admin,
        path: "/orders/flags",
        operations: &[
            get("readFlags", "The feature flags", |call, _| orders::show(call, Name::Flags)),
            Operation {
                body_max: orders::FLAGS_BODY_MAX,
                ..put(Role::Operator, "replaceFlags", "Replaces the feature flags", |call, cx| {
                    orders::replace(call, Name::Flags, cx)
                })
            },
        ],
    },
    Route {
        root: Root::Admin,
        path: "/orders/kill",
        operations: &[
            get("readKill", "What is turned off at once", |call, _| orders::show(call, Name::Kill)),
            put(Role::Operator, "replaceKill", "Replaces what is turned off at once", |call, cx| {
                orders::replace(call, Name::Kill, cx)
            }),
        ],
    },
    Route {
        root: Root::Admin,
        path: "/orders/phase",
        operations: &[
            get("readPhase", "How far a deployment has come", |call, _| orders::show(call, Name::Phase)),
            put(Role::Operator, "replacePhase", "Replaces how far a deployment has come", |call, cx| {
                orders::replace(call, Name::Phase, cx)
            }),
        ],
    },
    Route {
        root: Root::Admin,
        path: "/flags/{key}/explain",
        operations: &[question("explainFlag", "Why somebody gets what it gets of a flag", flags::explain)],
    },
    Route {
        root: Root::Admin,
        path: "/flags/plan",
        operations: &[Operation {
            body_max: orders::FLAGS_BODY_MAX,
            ..question("planFlags", "Whom another document of flags would move", flags::plan)
        }],
    },
    Route {
        root: Root::Admin,
        path: "/kill",
        operations: &[post(
            Role::Operator,
            "kill",
            "Turns flags off at once: all of them, or those named",
            control::kill,
        )],
    },
    Route {
        root: Root::Admin,
        path: "/kill/release",
        operations: &[post(
            Role::Operator,
            "releaseKill",
            "Takes back what was turned off at once",
            control::release_kill,
        )],
    },
    Route {
        root: Root::Admin,
        path: "/orders/control",
        operations: &[get("readControl", "Circuits that are held, and pools that were drained", |call, _| {
            orders::show(call, Name::Control)
        })],
    },
    Route {
        root: Root::Admin,
        path: "/orders/{name}/history",
        operations: &[get(
            "listVersions",
            "Versions of an order that were replaced, the newest first",
            order_history::list,
        )],
    },
    Route {
        root: Root::Admin,
        path: "/tenants",
        operations: &[for_tenants(get("listTenants", "What was said of tenants, by id", tenants::list))],
    },
    Route {
        root: Root::Admin,
        path: "/tenants/{id}",
        operations: &[
            for_tenants(get("readTenant", "What was said of a tenant", tenants::show)),
            for_tenants(put(
                Role::Operator,
                "replaceTenant",
                "Sets a tenant's tier, and suspends it or not",
                tenants::replace,
            )),
            for_tenants(delete(
                Role::Operator,
                "forgetTenant",
                "Takes back what was said of a tenant",
                tenants::forget,
            )),
        ],
    },
    Route {
        root: Root::Admin,
        path: "/backup",
        operations: &[Operation {
            role: Role::Admin,
            ..get("readBackup", "All orders but tokens in one document with a checksum", backup::make)
        }],
    },
    Route {
        root: Root::Admin,
        path: "/restore",
        operations: &[Operation {
            body_max: backup::BODY_MAX,
            ..post(Role::Admin, "restore", "Puts a backup back: all of it, or nothing", backup::restore)
        }],
    },
    Route {
        root: Root::Admin,
        path: "/circuits/{database}/hold",
        operations: &[post(Role::Operator, "holdCircuit", "Holds a circuit open or closed, everywhere", control::hold)],
    },
    Route {
        root: Root::Admin,
        path: "/circuits/{database}/release",
        operations: &[post(Role::Operator, "releaseCircuit", "Lets a circuit go that is held", control::release)],
    },
    Route {
        root: Root::Admin,
        path: "/circuits/{database}/reset",
        operations: &[post(Role::Operator, "resetCircuit", "Closes a circuit and forgets its counts", control::reset)],
    },
    Route {
        root: Root::Admin,
        path: "/pools/{database}/drain",
        operations: &[post(Role::Operator, "drainPool", "Closes connections, everywhere", control::drain)],
    },
    Route {
        root: Root::Admin,
        path: "/audit",
        operations: &[get("readAudit", "The audit log, the newest first", audit::page)],
    },
    Route {
        root: Root::Admin,
        path: "/audit/verify",
        operations: &[get("verifyAudit", "Whether the chain of the audit log is whole", audit::verify)],
    },
    Route {
        root: Root::Admin,
        path: "/tokens",
        operations: &[
            Operation { role: Role::Admin, ..get("readTokens", "Who was given a token; no secrets", tokens::list) },
            post(Role::Admin, "createToken", "Makes a token, and shows its secret once", tokens::create),
        ],
    },
    Route {
        root: Root::Admin,
        path: "/tokens/{id}",
        operations: &[delete(Role::Admin, "revokeToken", "Ends a token at once", tokens::revoke)],
    },
    Route {
        root: Root::Admin,
        path: "/tokens/{id}/rotate",
        operations: &[post(Role::Admin, "rotateToken", "Gives a token another secret", tokens::rotate)],
    },
    Route {
        root: Root::Admin,
        path: "/openapi.json",
        operations: &[get("readOpenApi", "This document", openapi::document)],
    },
    Route {
        root: Root::Admin,
        path: "/logs",
        operations: &[get("readLogs", "Recent records of the log, by level and age", logs::recent)],
    },
    Route {
        root: Root::Admin,
        path: "/alerts",
        operations: &[get("readAlerts", "Alerts, silences and receivers", alerts::list)],
    },
    Route {
        root: Root::Admin,
        path: "/alerts/silences",
        operations: &[post(Role::Operator, "silenceAlerts", "Silences alerts that match", alerts::silences)],
    },
    Route {
        root: Root::Admin,
        path: "/alerts/{id}/ack",
        operations: &[post(Role::Operator, "acknowledgeAlert", "Says that somebody saw an alert", alerts::acknowledge)],
    },
    Route {
        root: Root::Admin,
        path: "/alerts/{id}/silence",
        operations: &[post(Role::Operator, "silenceAlert", "Silences one alert", alerts::silence)],
    },
];

impl Method {
    /// As it stands in a request.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

impl Route {
    /// The methods as `Allow` lists them.
    pub(super) fn allowed(&self) -> String {
        self.methods().collect::<Vec<_>>().join(", ")
    }

    pub(super) fn methods(&self) -> impl Iterator<Item = &'static str> {
        self.operations
            .iter()
            .flat_map(|operation| match operation.method {
                Method::Get => ["GET", "HEAD"].as_slice(),
                Method::Put => &["PUT"],
                Method::Post => &["POST"],
                Method::Delete => &["DELETE"],
            })
            .copied()
    }

    pub(super) fn operation(&self, method: &str) -> Option<&'static Operation> {
        let method = if method == "HEAD" { "GET" } else { method };
        self.operations.iter().find(|operation| operation.method.text() == method)
    }
}
