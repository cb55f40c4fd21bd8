//! What is written from the one list of settings: the page, the list for programs, the tables for TypeScript, and
//! `.env.local.example`.

use std::fmt::Write as _;

use seawall::config::document::{RENAMED, SCHEMA_VERSION};
use seawall::config::keys::{ALIASES, Default, KEYS, Key, NPM, Shape, WORKER};
use seawall::config::value::{expected, json};
use seawall::config::variables::table::{ADDRESSES, PRESETS, VARIABLES};

use super::same;

const HEADER: &str =
    "// Written from src/config/ by `UPDATE=1 cargo test --test conformance generated`. Do not edit.\n\n";

fn default_of(key: &Key) -> String {
    match key.default {
        Default::Fixed(value) => json(key, value).replace('"', ""),
        Default::ByEnvironment { production, development } => {
            format!("{production} in production, {development} elsewhere")
        }
        Default::SameAs(path) => format!("`{path}`"),
    }
}

fn readers(key: &Key) -> &'static str {
    match (key.readers & NPM != 0, key.readers & WORKER != 0) {
        (true, true) => "",
        (true, false) => " Read by the npm package only.",
        (false, true) => " Read by the deployable Worker only.",
        (false, false) => " Nothing reads it yet.",
    }
}

fn variables_of(key: &Key) -> String {
    let names: Vec<_> = VARIABLES.iter().filter(|it| it.of == key.path).map(|it| format!("`{}`", it.name)).collect();
    names.join(", ")
}

#[test]
fn the_page_of_settings_is_current() {
    let mut text = String::from(
        "# Settings\n\nWritten from `src/config/keys/`. Times are in milliseconds; a text with a unit is accepted for \
         them as well: `\"500ms\"`, `\"5s\"`, `\"2m\"`, `\"1h\"`. Words may be written in any case.\n\n\
         An option in code holds before a variable, a variable before a preset, and that before the default. What \
         nothing reads is checked all the same, and listed in `status().ignored` when it is set. See \
         [configuration.md](configuration.md).\n\n| setting | must be | default | while it runs | variables | what it does |\n\
         |---|---|---|---|---|---|\n",
    );
    for key in &KEYS {
        let live = if key.is_live { "changes" } else { "stays" };
        let help = [key.help, readers(key)].concat();
        writeln!(
            text,
            "| `{}` | {} | {} | {live} | {} | {help} |",
            key.path,
            expected(key),
            default_of(key),
            variables_of(key)
        )
        .unwrap();
    }
    text.push_str(
        "\n## Other names\n\nFor settings that come from elsewhere. Both names at once must say the same.\n\n\
         | name | must be | setting |\n|---|---|---|\n",
    );
    for alias in &ALIASES {
        let key = KEYS.iter().find(|key| key.path == alias.of).unwrap();
        writeln!(text, "| `{}` | {} | `{}` |", alias.path, expected(&alias.takes(key)), alias.of).unwrap();
    }
    text.push_str(
        "\n## Variables\n\nOf two variables for one setting the first in this table holds; that they differ is a warning. \
         An empty one counts as not set.\n\n| variable | counted in | setting |\n|---|---|---|\n",
    );
    for variable in VARIABLES {
        let key = KEYS.iter().find(|key| key.path == variable.of).unwrap();
        let unit = if variable.unit.is_empty() { key.unit } else { variable.unit };
        writeln!(text, "| `{}` | {unit} | `{}` |", variable.name, variable.of).unwrap();
    }
    text.push_str("\n| variable | what it is |\n|---|---|\n");
    for address in ADDRESSES {
        let secret = if address.is_secret { " Never shown." } else { "" };
        writeln!(text, "| `{}` | {}{secret} |", address.name, address.help).unwrap();
    }
    text.push_str("\n## Presets\n\n| preset | setting | value |\n|---|---|---|\n");
    for preset in PRESETS {
        for (path, value) in preset.settings {
            writeln!(text, "| `{}` | `{path}` | {value} |", preset.name).unwrap();
        }
    }
    same("docs/config.md", &text);
}

#[test]
fn the_tables_for_typescript_are_current() {
    let mut text = String::from(HEADER);
    text.push_str(
        "/** Variables: name, path of the setting, and the unit of a bare number where it is not the setting's own. */\n\
         export const VARIABLES: readonly (readonly [name: string, path: string, unit: string])[] = [\n",
    );
    for it in VARIABLES {
        writeln!(text, "  [\"{}\", \"{}\", \"{}\"],", it.name, it.of, it.unit).unwrap();
    }
    text.push_str(
        "];\n\n/** Presets: paths and values, as a variable would have them. */\n\
         export const PRESETS: Readonly<Record<string, readonly (readonly [path: string, text: string])[]>> = {\n",
    );
    for preset in PRESETS {
        let settings: Vec<_> =
            preset.settings.iter().map(|(path, value)| format!("[\"{path}\", \"{value}\"]")).collect();
        writeln!(text, "  {}: [{}],", preset.name, settings.join(", ")).unwrap();
    }
    writeln!(
        text,
        "}};\n\n/** The version of the settings' names that this release writes. */\n\
         export const SCHEMA_VERSION = {SCHEMA_VERSION};\n\n\
         /** What each version calls otherwise than the one before. */\n\
         export const RENAMED: readonly (readonly (readonly [old: string, now: string])[])[] = ["
    )
    .unwrap();
    for renamed in RENAMED {
        text.push_str("  [\n");
        for (old, now) in *renamed {
            writeln!(text, "    [\"{old}\", \"{now}\"],").unwrap();
        }
        text.push_str("  ],\n");
    }
    text.push_str("];\n");
    same("js/src/config/variables.ts", &text);
}

#[test]
fn the_list_for_programs_is_current() {
    let mut text = String::from(HEADER);
    text.push_str(
        "/** One setting, for command lines and dashboards. */\nexport interface SettingFacts {\n  readonly path: string;\n  \
         readonly kind: \"whole\" | \"number\" | \"switch\" | \"choice\" | \"secret\";\n  /** Empty for plain numbers. */\n  \
         readonly unit: string;\n  readonly min?: number;\n  readonly max?: number;\n  readonly choices?: readonly string[];\n  \
         /** In production. Another setting's path, in an object, if the default is that one's value. */\n  \
         readonly production: number | string | boolean | { readonly sameAs: string };\n  /** Elsewhere. */\n  \
         readonly elsewhere: number | string | boolean | { readonly sameAs: string };\n  /** Whether it changes while it runs. */\n  \
         readonly isLive: boolean;\n  readonly readBy: readonly (\"npm\" | \"worker\")[];\n  readonly variables: readonly string[];\n  \
         readonly aliases: readonly string[];\n  readonly help: string;\n}\n\n\
         /** Every setting, in the order of docs/config.md. */\nexport const SETTINGS: readonly SettingFacts[] = [\n",
    );
    for key in &KEYS {
        let (kind, range) = match key.shape {
            Shape::Whole { min, max } => ("whole", format!("min: {min},\n    max: {max},\n    ")),
            Shape::Number { min, max } => ("number", format!("min: {min},\n    max: {max},\n    ")),
            Shape::Switch => ("switch", String::new()),
            Shape::Choice(words) => ("choice", format!("choices: {words:?},\n    ")),
            Shape::Secret => ("secret", String::new()),
        };
        let (production, elsewhere) = match key.default {
            Default::Fixed(value) => (json(key, value), json(key, value)),
            Default::ByEnvironment { production, development } => (json(key, production), json(key, development)),
            Default::SameAs(path) => (format!("{{ sameAs: \"{path}\" }}"), format!("{{ sameAs: \"{path}\" }}")),
        };
        let read_by: Vec<_> =
            [(NPM, "npm"), (WORKER, "worker")].iter().filter(|it| key.readers & it.0 != 0).map(|it| it.1).collect();
        let variables: Vec<_> = VARIABLES.iter().filter(|it| it.of == key.path).map(|it| it.name).collect();
        let aliases: Vec<_> = ALIASES.iter().filter(|it| it.of == key.path).map(|it| it.path).collect();
        writeln!(
            text,
            "  {{\n    path: \"{}\",\n    kind: \"{kind}\",\n    unit: \"{}\",\n    {range}production: {production},\n    \
             elsewhere: {elsewhere},\n    isLive: {},\n    readBy: {read_by:?},\n    variables: {variables:?},\n    \
             aliases: {aliases:?},\n    help: {:?},\n  }},",
            key.path, key.unit, key.is_live, key.help
        )
        .unwrap();
    }
    text.push_str("];\n");
    same("js/src/config/list.ts", &text);
}

/// ENV-34: the example of `.env.local` holds every variable with a comment and its default.
#[test]
fn the_example_of_variables_is_current() {
    let mut text = String::from(
        "# Copy to .env.local and change what differs. Written from src/config/ by\n\
         # UPDATE=1 cargo test --test conformance generated. Lines that begin with # set nothing.\n",
    );
    for address in ADDRESSES {
        let mark = if address.example.is_empty() { "# " } else { "" };
        write!(text, "\n# {}\n{mark}{}={}\n", address.help, address.name, address.example).unwrap();
    }
    for variable in VARIABLES {
        let key = KEYS.iter().find(|key| key.path == variable.of).unwrap();
        let value = match key.default {
            Default::Fixed(value) => json(key, value).replace('"', ""),
            Default::ByEnvironment { development, .. } => json(key, development),
            Default::SameAs(_) => String::new(),
        };
        let (value, unit) = match variable.unit {
            "s" => ((value.parse::<f64>().unwrap() / 1_000.0).to_string(), " s"),
            _ => (value, ""),
        };
        let unit = if unit.is_empty() && !key.unit.is_empty() { format!(" {}", key.unit) } else { unit.to_owned() };
        let must_be = if variable.unit.is_empty() { expected(key) } else { format!("a number of{unit}") };
        write!(
            text,
            "\n# {}: {} ({must_be}; {})\n# {}={value}\n",
            key.path,
            key.help,
            default_of(key).replace('`', ""),
            variable.name
        )
        .unwrap();
    }
    same(".env.local.example", &text);
}

/// A file that compiles only if every setting that the package reads, under each of its names, is in its types.
#[test]
fn every_setting_is_in_the_types_of_the_package() {
    /// The store itself, in the package.
    const OF_THE_HOST: &str = "state.near";
    let mut text = String::from(HEADER);
    text.push_str(
        "import type { SeawallOptions, Store } from \"client-under-contract\";\n\ndeclare const store: Store;\n\n\
         export const all: SeawallOptions[] = [\n",
    );
    let paths = KEYS.iter().map(|key| (key.path, key.path)).chain(ALIASES.iter().map(|alias| (alias.path, alias.of)));
    for (path, of) in paths.filter(|(path, _)| *path != OF_THE_HOST) {
        let key = KEYS.iter().find(|key| key.path == of).unwrap();
        if key.readers == WORKER {
            continue;
        }
        let value = match key.shape {
            Shape::Whole { max, .. } => max.to_string(),
            Shape::Number { max, .. } => max.to_string(),
            Shape::Switch => "true".to_owned(),
            Shape::Choice(words) => format!("\"{}\"", words[words.len() - 1]),
            Shape::Secret => "\"text\"".to_owned(),
        };
        // What a group cannot do without.
        let needs = match path {
            "rateLimit.burst" => "rate: 1, ",
            _ if path.starts_with("state.") => "store, ",
            _ => "",
        };
        match path.split_once('.') {
            Some((group, name)) => writeln!(text, "  {{ {group}: {{ {needs}{name}: {value} }} }},").unwrap(),
            None => writeln!(text, "  {{ {path}: {value} }},").unwrap(),
        }
    }
    text.push_str("];\n");
    same("tests/types/settings.ts", &text);
}
