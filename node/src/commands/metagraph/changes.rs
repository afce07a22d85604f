//! What differs between two metagraphs.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use super::Row;

/// One difference.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub(super) enum Change {
    /// A uid that was not there.
    Joined { uid: u16, hotkey: String },
    /// A uid that another hotkey has taken.
    Replaced { uid: u16, before: String, hotkey: String },
    /// A uid that is no longer there.
    Left { uid: u16, hotkey: String },
    /// Another value of a neuron that has stayed.
    Value { uid: u16, name: String, before: Value, after: Value },
}

/// What has changed, by uid.
pub(super) fn between(before: &[Row], after: &[Row]) -> Vec<Change> {
    let old: BTreeMap<u16, &Row> = before.iter().map(|row| (row.uid, row)).collect();
    let new: BTreeMap<u16, &Row> = after.iter().map(|row| (row.uid, row)).collect();
    let mut changes = Vec::new();
    for (uid, row) in &new {
        let (uid, hotkey) = (*uid, row.hotkey.clone());
        match old.get(&uid) {
            None => changes.push(Change::Joined { uid, hotkey }),
            Some(was) if was.hotkey != row.hotkey => {
                changes.push(Change::Replaced { uid, before: was.hotkey.clone(), hotkey });
            }
            Some(was) => changes.extend(values(uid, was, row)),
        }
    }
    for (uid, row) in old {
        if !new.contains_key(&uid) {
            changes.push(Change::Left { uid, hotkey: row.hotkey.clone() });
        }
    }
    changes
}

fn values(uid: u16, before: &Row, after: &Row) -> impl Iterator<Item = Change> {
    let (before, after) = (fields(before), fields(after));
    let changed = move |(name, after): (String, Value)| {
        let before = before.get(&name)?.clone();
        (before != after).then_some(Change::Value { uid, name, before, after })
    };
    after.into_iter().filter_map(changed)
}

fn fields(row: &Row) -> Map<String, Value> {
    match serde_json::to_value(row) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Joined { uid, hotkey } => write!(f, "{uid:>5}  joined: {hotkey}"),
            Self::Replaced { uid, before, hotkey } => {
                write!(f, "{uid:>5}  replaced: {before} by {hotkey}")
            }
            Self::Left { uid, hotkey } => write!(f, "{uid:>5}  left: {hotkey}"),
            Self::Value { uid, name, before, after } => {
                write!(f, "{uid:>5}  {name}: {} to {}", shown(before), shown(after))
            }
        }
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => {
            format!("{:.6}", number.as_f64().unwrap_or(f64::NAN))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(uid: u16, hotkey: &str, stake: f64, axon: Option<&str>) -> Row {
        Row {
            uid,
            hotkey: hotkey.into(),
            coldkey: "cold".into(),
            stake,
            validator_permit: false,
            incentive: 0.0,
            dividends: 0.0,
            consensus: 0.0,
            emission: 0.0,
            last_update: 7,
            axon: axon.map(str::to_owned),
        }
    }

    #[test]
    fn changes_are_told_by_uid() {
        let before = [row(0, "a", 1.0, None), row(1, "b", 2.0, None), row(3, "d", 0.0, None)];
        let after =
            [row(0, "a", 1.5, Some("1.2.3.4:5")), row(1, "x", 2.0, None), row(2, "c", 0.0, None)];
        let told: Vec<String> = between(&before, &after).iter().map(Change::to_string).collect();
        assert_eq!(
            told,
            [
                "    0  axon: none to 1.2.3.4:5",
                "    0  stake: 1.000000 to 1.500000",
                "    1  replaced: b by x",
                "    2  joined: c",
                "    3  left: d",
            ]
        );
        assert_eq!(between(&after, &after), []);
    }
}
