//! Two charts side by side as SVG: load on the dead database, and recovery, against the size of the fleet.

use std::fmt::Write as _;

use super::row::Row;
use super::table::grouped;
use crate::fleet::plan::Policy;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 456.0;
const PANEL_WIDTH: f64 = 380.0;
const PANEL_HEIGHT: f64 = 260.0;
const TOP: f64 = 56.0;

/// Colours that stay apart for those who see fewer, on white and on black.
const STYLE: &str = "
  .paper { fill: #ffffff } .ink { fill: #24292f } .faint { fill: #57606a } .grid { stroke: #d0d7de }
  .none { --c: #6e7781 } .local { --c: #a15c00 } .naive { --c: #b4237a } .cells { --c: #0b62b8 } .cells-near { --c: #04724d }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117 } .ink { fill: #e6edf3 } .faint { fill: #9aa4af } .grid { stroke: #30363d }
    .none { --c: #9aa4af } .local { --c: #e0a04a } .naive { --c: #f48fc6 } .cells { --c: #6cb6ff } .cells-near { --c: #56d39b }
  }
  text { font: 13px system-ui, sans-serif } .title { font-weight: 600; font-size: 14px } .small { font-size: 11.5px }
  .line { fill: none; stroke: var(--c); stroke-width: 2.25 } .mark { fill: var(--c) }
";

/// How a number becomes a height.
#[derive(Clone, Copy)]
enum Scale {
    /// From the first to the second, by their logarithms; what is below counts as the first.
    Logarithmic(f64, f64),
    /// From zero to this.
    Linear(f64),
}

impl Scale {
    fn share(self, value: f64) -> f64 {
        match self {
            Self::Logarithmic(low, high) => (value.max(low) / low).ln() / (high / low).ln(),
            Self::Linear(high) => value / high,
        }
    }

    fn ticks(self) -> Vec<f64> {
        match self {
            Self::Logarithmic(low, high) => {
                let decades = (high / low).log10().round() as i32;
                (0..=decades).map(|decade| low * 10_f64.powi(decade)).collect()
            }
            Self::Linear(high) => (0..=5).map(|fifth| high * f64::from(fifth) / 5.0).collect(),
        }
    }
}

/// One of the two charts.
struct Panel<'a> {
    left: f64,
    title: &'a str,
    sizes: &'a [u32],
    scale: Scale,
}

impl Panel<'_> {
    fn x(&self, isolates: u32) -> f64 {
        let (least, most) = (f64::from(self.sizes[0]), f64::from(self.sizes[self.sizes.len() - 1]));
        let share = if most > least { (f64::from(isolates) / least).ln() / (most / least).ln() } else { 0.5 };
        self.left + 14.0 + (PANEL_WIDTH - 28.0) * share
    }

    fn y(&self, value: f64) -> f64 {
        TOP + PANEL_HEIGHT * (1.0 - self.scale.share(value))
    }

    fn axes(&self, svg: &mut String) {
        let _ = writeln!(svg, r#"<text class="ink title" x="{}" y="{}">{}</text>"#, self.left, TOP - 22.0, self.title);
        for tick in self.scale.ticks() {
            let y = self.y(tick);
            let right = self.left + PANEL_WIDTH;
            let label = if tick < 1.0 && tick > 0.0 { format!("{tick}") } else { grouped(tick.round() as u64) };
            let _ = writeln!(svg, r#"<line class="grid" x1="{}" x2="{right}" y1="{y:.1}" y2="{y:.1}"/>"#, self.left);
            let _ = writeln!(
                svg,
                r#"<text class="faint small" x="{}" y="{:.1}" text-anchor="end">{label}</text>"#,
                self.left - 6.0,
                y + 4.0
            );
        }
        for &size in self.sizes {
            let _ = writeln!(
                svg,
                r#"<text class="faint small" x="{:.1}" y="{}" text-anchor="middle">{}</text>"#,
                self.x(size),
                TOP + PANEL_HEIGHT + 18.0,
                grouped(u64::from(size))
            );
        }
        let _ = writeln!(
            svg,
            r#"<text class="faint small" x="{}" y="{}" text-anchor="middle">isolates</text>"#,
            self.left + PANEL_WIDTH / 2.0,
            TOP + PANEL_HEIGHT + 36.0
        );
    }

    fn curve(&self, svg: &mut String, policy: Policy, points: &[(u32, f64)]) {
        let at: Vec<(f64, f64)> = points.iter().map(|&(size, value)| (self.x(size), self.y(value))).collect();
        let path: Vec<String> = at.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(svg, r#"<g class="{}"><polyline class="line" points="{}"/>"#, policy.name(), path.join(" "));
        at.iter().for_each(|&(x, y)| svg.push_str(&mark(policy, x, y)));
        svg.push_str("</g>\n");
    }
}

/// The chart of these rows; empty when there are none.
pub(crate) fn svg(rows: &[Row]) -> String {
    let mut sizes: Vec<u32> = rows.iter().map(|row| row.isolates).collect();
    sizes.sort_unstable();
    sizes.dedup();
    if sizes.is_empty() {
        return String::new();
    }
    let slowest = rows.iter().filter_map(|row| row.recovery_s).fold(1.0, f64::max);
    let heaviest = rows.iter().map(|row| row.load_mean).fold(10.0, f64::max);
    let load = Panel {
        left: 76.0,
        title: "Calls a second to the dead database",
        sizes: &sizes,
        scale: Scale::Logarithmic(0.1, 10_f64.powf(heaviest.log10().ceil())),
    };
    let recovery = Panel {
        left: 552.0,
        title: "Seconds until 95 % of the isolates are back",
        sizes: &sizes,
        scale: Scale::Linear((slowest / 10.0).ceil() * 10.0),
    };
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Load on a dead database, and recovery, against the number of isolates, for each policy"><style>{STYLE}</style><rect class="paper" width="{WIDTH}" height="{HEIGHT}"/>
"#
    );
    load.axes(&mut svg);
    recovery.axes(&mut svg);
    let policies: Vec<Policy> =
        Policy::ALL.into_iter().filter(|policy| rows.iter().any(|row| row.policy == *policy)).collect();
    for (index, &policy) in policies.iter().enumerate() {
        let of = |value: fn(&Row) -> Option<f64>| -> Vec<(u32, f64)> {
            let rows = rows.iter().filter(|row| row.policy == policy);
            rows.filter_map(|row| value(row).map(|value| (row.isolates, value))).collect()
        };
        load.curve(&mut svg, policy, &of(|row| Some(row.load_mean)));
        recovery.curve(&mut svg, policy, &of(|row| row.recovery_s));
        let (x, y) = (76.0 + 476.0 * (index / 3) as f64, HEIGHT - 62.0 + 22.0 * (index % 3) as f64);
        let _ = writeln!(
            svg,
            r#"<g class="{}">{}</g><text class="ink" x="{}" y="{y}">{}</text>"#,
            policy.name(),
            mark(policy, x, y - 4.5),
            x + 12.0,
            policy.title()
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// A shape per policy, so that nobody needs the colours.
fn mark(policy: Policy, x: f64, y: f64) -> String {
    let path = match policy {
        Policy::None => "m-4,-4h8v8h-8z",
        Policy::Local => "m0,-5.5l5,9.5h-10z",
        Policy::Naive => "m0,5.5l5,-9.5h-10z",
        Policy::Cells => "m0,-5.5l5.5,5.5l-5.5,5.5l-5.5,-5.5z",
        Policy::CellsNear => "m-5,0a5,5 0 1 0 10,0a5,5 0 1 0 -10,0",
    };
    format!(r#"<path class="mark" d="M{x:.1},{y:.1}{path}"/>"#)
}
