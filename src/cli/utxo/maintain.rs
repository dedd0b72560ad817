//! What the commands that change the pool share: the request, and how its steps are shown.

use std::process::ExitCode;

use serde_json::{Map, Value, json};

use crate::cli::desk::{Ask, ask_once};
use crate::cli::utxo::Pool;

const PATH: &str = "/v1/admin/utxo-maintain";
/// Members of a step that have their own place in its line.
const PLACED: [&str; 6] =
    ["action", "txid", "operationId", "feeSatoshis", "feeRateSatPerKb", "reason"];
/// Lists of a step, and the sign in front of each of their lines.
const LISTS: [(&str, &str); 3] = [("inputs", "-"), ("outputs", "+"), ("leases", "*")];

/// A request for maintenance in the making; what is not said is left out of it.
pub(super) struct Maintenance {
    body: Map<String, Value>,
    is_dry_run: bool,
}

impl Maintenance {
    /// Asks for an action, and to wait until its transactions are broadcast.
    pub(super) fn new(action: &'static str, is_dry_run: bool) -> Self {
        let body = Map::from_iter([
            ("action".to_owned(), json!(action)),
            ("dryRun".to_owned(), json!(is_dry_run)),
            ("wait".to_owned(), json!(true)),
        ]);
        Self { body, is_dry_run }
    }

    /// Adds a member if it was said.
    pub(super) fn with(mut self, name: &str, value: Option<impl Into<Value>>) -> Self {
        self.body.extend(value.map(|value| (name.to_owned(), value.into())));
        self
    }

    /// Has it done and shows what was done, or would be.
    pub(super) async fn run(self, pool: &Pool<'_>) -> anyhow::Result<ExitCode> {
        let request = Ask::post(PATH, Value::Object(self.body));
        let done = ask_once(pool.place, pool.surroundings, request).await?.body;
        let output = &pool.surroundings.output;
        if output.is_json {
            output.json(&done)?;
        } else {
            for step in done["steps"].as_array().map(Vec::as_slice).unwrap_or_default() {
                output.line(&step_line(step))?;
                for (name, sign) in LISTS {
                    for part in step[name].as_array().map(Vec::as_slice).unwrap_or_default() {
                        output.line(&part_line(sign, part))?;
                    }
                }
            }
            if self.is_dry_run {
                output.talk("dry run: nothing was changed");
            }
        }
        let is_done = done["success"].as_bool().unwrap_or(false);
        Ok(if is_done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Shows a step on one line: what, as which transaction, at what cost, or why not.
fn step_line(step: &Value) -> String {
    let mut words = vec![word(&step["action"]).unwrap_or_else(|| "step".to_owned())];
    words.extend(word(&step["txid"]));
    if step["feeRateSatPerKb"].is_number() {
        let (fee, rate) = (&step["feeSatoshis"], &step["feeRateSatPerKb"]);
        words.push(format!("{fee} satoshis fee, {rate} per kB"));
    }
    words.extend(counts(step));
    words.extend(word(&step["reason"]));
    words.join("  ")
}

/// Shows the members of a step that have no place of their own, those of its parts included.
fn counts(step: &Value) -> Vec<String> {
    let mut shown = Vec::new();
    for (name, value) in step.as_object().into_iter().flatten() {
        if value.is_object() {
            shown.extend(counts(value));
        } else if !PLACED.contains(&name.as_str()) {
            shown.extend(word(value).map(|word| format!("{word} {name}")));
        }
    }
    shown
}

fn part_line(sign: &str, part: &Value) -> String {
    let place = word(&part["outpoint"]).or_else(|| word(&part["address"])).unwrap_or_default();
    let freed = part["freed"].as_bool().map(|freed| if freed { "freed" } else { "kept" });
    let words = [freed.map(str::to_owned), word(&part["reason"])].into_iter().flatten();
    let satoshis = word(&part["satoshis"]).unwrap_or_default();
    let more: String = words.flat_map(|word| ["  ".to_owned(), word]).collect();
    format!("  {sign} {satoshis:>12}  {place}{more}")
}

/// Returns a single value as it is shown; nothing for null, lists and objects.
pub(super) fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(is_so) => Some(is_so.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_not_sent() {
        let request =
            Maintenance::new("split", true).with("count", Some(4)).with("limit", None::<u64>);
        let expected = json!({ "action": "split", "dryRun": true, "wait": true, "count": 4 });
        assert_eq!(Value::Object(request.body), expected);
    }

    #[test]
    fn a_step_is_shown_with_all_that_it_says() {
        let step = json!({ "action": "split", "txid": "ab", "feeSatoshis": 7, "kept": 2,
            "feeRateSatPerKb": 512, "inputs": [], "outputs": [], "reason": null });
        assert_eq!(step_line(&step), "split  ab  7 satoshis fee, 512 per kB  2 kept");
        let nothing = json!({ "action": "sweep", "txid": null, "reason": "no dust" });
        assert_eq!(step_line(&nothing), "sweep  no dust");
        let sync =
            json!({ "action": "sync", "feeSatoshis": 0, "sync": { "added": 2, "listed": 3 } });
        assert_eq!(step_line(&sync), "sync  2 added  3 listed");
        let part = json!({ "outpoint": "ab:0", "satoshis": 10 });
        assert_eq!(part_line("-", &part), "  -           10  ab:0");
        let lease =
            json!({ "outpoint": "ab:0", "satoshis": 10, "freed": false, "reason": "signed" });
        assert_eq!(part_line("*", &lease), "  *           10  ab:0  kept  signed");
    }
}
