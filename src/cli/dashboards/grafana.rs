//! The board as Grafana imports it (schema 39, Grafana 10 and newer).

use serde_json::{Value, json};

use super::board::{Kind, Panel, ROWS};

/// Grafana's grid is this wide.
const GRID_WIDTH: usize = 24;
const DATASOURCE: &str = "${datasource}";

/// The board, pretty printed.
pub(super) fn board_json() -> String {
    let mut panels = Vec::new();
    let mut top = 0;
    for (title, row) in ROWS {
        panels.push(json!({
            "id": panels.len() + 1, "type": "row", "title": title, "collapsed": false,
            "gridPos": {"x": 0, "y": top, "w": GRID_WIDTH, "h": 1}, "panels": [],
        }));
        top += 1;
        let (width, height) = size(row);
        for (at, panel) in row.iter().enumerate() {
            let per_line = GRID_WIDTH / width;
            let place = json!({
                "x": at % per_line * width, "y": top + at / per_line * height, "w": width, "h": height,
            });
            panels.push(panel_json(panel, panels.len() + 1, &place));
        }
        top += row.len().div_ceil(GRID_WIDTH / width) * height;
    }
    let mut text = format!("{:#}", board(&panels));
    text.push('\n');
    text
}

/// Numbers stand in one line, graphs three to a line.
fn size(row: &[Panel]) -> (usize, usize) {
    if row.iter().all(|panel| panel.kind == Kind::Number) { (4, 4) } else { (8, 8) }
}

fn board(panels: &[Value]) -> Value {
    json!({
        "uid": "gantry", "title": "Gantry", "tags": ["gantry", "rocketmq", "kafka"],
        "schemaVersion": 39, "editable": true, "refresh": "10s",
        "time": {"from": "now-30m", "to": "now"}, "timezone": "browser",
        "templating": {"list": [{
            "name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus",
        }]},
        "panels": panels,
    })
}

fn panel_json(panel: &Panel, id: usize, place: &Value) -> Value {
    let source = json!({"type": "prometheus", "uid": DATASOURCE});
    let targets = panel.queries.iter().zip('A'..).map(|((expression, legend), letter)| {
        let legend = if legend.is_empty() { panel.title } else { legend };
        json!({"refId": letter.to_string(), "expr": expression, "legendFormat": legend, "datasource": source})
    });
    let (kind, options) = match panel.kind {
        Kind::Lines => ("timeseries", json!({"legend": {"displayMode": "list", "placement": "bottom"}})),
        Kind::Number => ("stat", json!({"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value"})),
    };
    json!({
        "id": id, "type": kind, "title": panel.title, "gridPos": place, "datasource": source,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": options, "targets": targets.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_fill_the_grid_and_do_not_overlap() {
        let board: Value = serde_json::from_str(&board_json()).unwrap();
        let mut taken = std::collections::HashSet::new();
        for panel in board["panels"].as_array().unwrap() {
            let at = |name: &str| panel["gridPos"][name].as_u64().unwrap();
            assert!(at("x") + at("w") <= 24, "{panel}");
            for (x, y) in
                (at("x")..at("x") + at("w")).flat_map(|x| (at("y")..at("y") + at("h")).map(move |y| (x, y)))
            {
                assert!(taken.insert((x, y)), "two panels at {x},{y}");
            }
        }
    }
}
