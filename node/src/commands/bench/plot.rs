//! Curves as SVG: what a browser and a repository's pages show without any program.

use std::fmt::Write;

/// Sizes of the picture, and of the room around the curves, in pixels.
const SIZE: (f64, f64) = (720.0, 400.0);
const MARGIN: (f64, f64) = (60.0, 40.0);
/// Colours that people who see few can tell apart (Okabe and Ito).
const COLOURS: [&str; 7] =
    ["#000000", "#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#0072b2", "#d55e00"];
/// Lines across.
const TICKS: u32 = 5;

/// One curve.
pub(super) struct Line {
    pub(super) name: String,
    /// From left to right.
    pub(super) points: Vec<(f64, f64)>,
}

/// The picture; points that are not finite are left out.
pub(super) fn plot(across: &str, up: &str, lines: &[Line]) -> String {
    let points = || {
        let all = lines.iter().flat_map(|line| &line.points);
        all.copied().filter(|(x, y)| x.is_finite() && y.is_finite())
    };
    let range = |values: &mut dyn Iterator<Item = f64>| {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        if low < high { (low, high) } else { (low - 1.0, low + 1.0) }
    };
    let (x, y) = (range(&mut points().map(|at| at.0)), range(&mut points().map(|at| at.1)));
    let (width, height) = (SIZE.0 - 2.0 * MARGIN.0, SIZE.1 - 2.0 * MARGIN.1);
    let place = |at: (f64, f64)| {
        let along = (at.0 - x.0) / (x.1 - x.0);
        let above = (at.1 - y.0) / (y.1 - y.0);
        (MARGIN.0 + along * width, MARGIN.1 + (1.0 - above) * height)
    };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        SIZE.0, SIZE.1
    );
    let text = |svg: &mut String, (x, y): (f64, f64), anchor: &str, colour: &str, text: &str| {
        let _ = writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{colour}\">{text}</text>"
        );
    };
    for tick in 0..=TICKS {
        let share = f64::from(tick) / f64::from(TICKS);
        let at = (x.0 + share * (x.1 - x.0), y.0 + share * (y.1 - y.0));
        let (left, level) = place((x.0, at.1));
        let _ = writeln!(
            svg,
            "<line x1=\"{left:.1}\" x2=\"{:.1}\" y1=\"{level:.1}\" y2=\"{level:.1}\" stroke=\"#dddddd\"/>",
            left + width
        );
        text(&mut svg, (left - 6.0, level + 4.0), "end", "black", &format!("{:.2}", at.1));
        let (under, bottom) = place((at.0, y.0));
        text(&mut svg, (under, bottom + 16.0), "middle", "black", &format!("{:.0}", at.0));
    }
    text(&mut svg, (SIZE.0 / 2.0, SIZE.1 - 6.0), "middle", "black", across);
    text(&mut svg, (MARGIN.0, MARGIN.1 - 14.0), "middle", "black", up);
    for (index, line) in lines.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let shown: Vec<String> = line
            .points
            .iter()
            .filter(|(x, y)| x.is_finite() && y.is_finite())
            .map(|at| place(*at))
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        let shown = shown.join(" ");
        let _ = writeln!(
            svg,
            "<polyline points=\"{shown}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>"
        );
        let level = MARGIN.1 + 16.0 * (index as f64 + 1.0);
        text(&mut svg, (SIZE.0 - MARGIN.0, level), "end", colour, &line.name);
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_lie_within_the_picture_and_what_is_not_finite_is_left_out() {
        let line =
            |name: &str, points: &[(f64, f64)]| Line { name: name.into(), points: points.into() };
        let lines = [
            line("one", &[(0.0, 3.0), (10.0, 1.0)]),
            line("two", &[(0.0, f64::NAN), (5.0, 2.0), (10.0, f64::INFINITY)]),
        ];
        let svg = plot("steps", "nats", &lines);
        assert!(svg.contains("points=\"60.0,40.0 660.0,360.0\""), "{svg}");
        assert!(svg.contains("points=\"360.0,200.0\""), "{svg}");
        assert!(svg.contains(">one</text>") && svg.ends_with("</svg>\n"));
    }

    #[test]
    fn nothing_and_a_single_point_are_drawn_without_a_range() {
        assert!(plot("x", "y", &[]).ends_with("</svg>\n"));
        let single = [Line { name: "a".into(), points: vec![(1.0, 2.0)] }];
        assert!(plot("x", "y", &single).contains("points=\"360.0,200.0\""));
    }
}
