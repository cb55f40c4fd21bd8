//! Settings as they are shown: one line each. A host makes of it whatever people or programs want to see.

use super::parse::{Checked, Setting, Source};
use super::value::json;

/// Every setting in a line `path TAB value TAB source TAB marks`, then every warning in a line that begins with `!`.
///
/// The value is JSON, a number shortened to six digits after the point; a secret is `"(set)"` or `""`. The source is `default`, `option`, or the name of what gave it. Marks
/// are `l` for what can change while it runs, `p` for what says where it runs, `u` for what this host does not read.
#[must_use]
pub fn rows(checked: &Checked) -> String {
    let mut rows = String::new();
    for Setting { key, value, source } in &checked.settings {
        let source = match source {
            Source::Default => "default",
            Source::Option => "option",
            Source::Given(by) => by,
        };
        for part in [key.path, "\t", &json(key, *value), "\t", source, "\t"] {
            rows.push_str(part);
        }
        for (is_so, mark) in [(key.is_live, 'l'), (key.is_of_place, 'p'), (!key.is_read_here(), 'u')] {
            if is_so {
                rows.push(mark);
            }
        }
        rows.push('\n');
    }
    for warning in &checked.warnings {
        rows.push('!');
        rows.push_str(warning);
        rows.push('\n');
    }
    rows
}
