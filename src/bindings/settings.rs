//! Settings as they cross: lines, numbers, and the database's name. `js/src/settings.ts` writes them.

use wasm_bindgen::prelude::*;

use crate::config::parse::{Checked, Problems, check};
use crate::config::raw::{Host, Raw};
use crate::config::rows::rows;

/// Throws one error that names every setting that cannot be used; else does nothing. Settings as [`read`] takes them.
#[wasm_bindgen(js_name = checkSettings)]
pub fn check_settings(lines: &str, numbers: &[f64], database: &str) -> Result<(), JsError> {
    read(lines, numbers, database)?;
    Ok(())
}

/// Every setting with its value, source and marks, and warnings; see `rows`. Throws as `checkSettings`.
#[wasm_bindgen(js_name = describeSettings)]
pub fn describe_settings(lines: &str, numbers: &[f64], database: &str) -> Result<String, JsError> {
    Ok(rows(&read(lines, numbers, database)?))
}

/// The values of all settings as numbers, in the order of `describeSettings`. Throws as `checkSettings`.
#[wasm_bindgen(js_name = settingValues)]
pub fn setting_values(lines: &str, numbers: &[f64], database: &str) -> Result<Vec<f64>, JsError> {
    Ok(read(lines, numbers, database)?.settings.iter().map(|setting| setting.value).collect())
}

/// Reads settings: `lines` as in [`Raw::from_lines`]. The first four numbers say of the host whether it is production (1),
/// whether its waiters ask again by themselves (1), whether there is something behind its connections (1), and how many
/// of them it can carry; then comes one for each line.
#[inline(never)]
pub(super) fn read(lines: &str, numbers: &[f64], database: &str) -> Result<Checked, Problems> {
    let (host, numbers) = numbers.split_first_chunk::<4>().unwrap_or((&[0.0, 0.0, 0.0, f64::INFINITY], &[]));
    let host = Host {
        is_production: host[0] == 1.0,
        is_polling: host[1] == 1.0,
        has_connections: host[2] == 1.0,
        connections_max: host[3] as u64,
        database,
    };
    check(&Raw::from_lines(host, lines, numbers))
}
