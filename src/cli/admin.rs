//! `patchproof admin`: accounts of the console.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::auth::account::AccountName;
use crate::auth::session::SessionId;
use crate::cli::desk::{Ask, Desk, Place, ask_once};
use crate::cli::{Surroundings, runtime};

const ACCOUNTS: &str = "/v1/admin/accounts";
const SESSIONS: &str = "/v1/admin/sessions";

/// Let people into the console, and see who is in
///
/// Passwords are set by their holders, with a link that is good once and for 30 minutes. The first
/// admin is made with the link of setup-link; admins make the other accounts in the console.
#[derive(Debug, Args)]
pub(super) struct AdminCommand {
    /// Folder of the store; PATCHPROOF_DATA_DIR without it
    #[arg(long, value_name = "FOLDER", global = true)]
    data_dir: Option<PathBuf>,
    #[command(subcommand)]
    action: AdminAction,
}

#[derive(Debug, Subcommand)]
enum AdminAction {
    /// Print the link with which the first admin is made; older ones are good for nothing then
    SetupLink,
    /// Take an account's password away, end its sessions and print a link to set another password
    Reset {
        /// The name of the account
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// List every account: role, state, when somebody logged in last
    Accounts,
    /// List every session that is not over
    Sessions,
    /// End a session at once
    EndSession {
        /// The session's identifier, as sessions lists it
        #[arg(value_name = "ID", value_parser = parse_session)]
        id: SessionId,
    },
}

impl AdminCommand {
    pub(super) fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        let place = Place::find(self.data_dir, surroundings)?;
        runtime()?.block_on(async {
            match self.action {
                AdminAction::SetupLink => {
                    let request = Ask::post("/v1/admin/setup-links", json!({}));
                    let body = ask_once(&place, surroundings, request).await?.body;
                    show_link(&body, surroundings)
                }
                AdminAction::Reset { name } => reset(&place, &name, surroundings).await,
                AdminAction::Accounts => accounts(&place, surroundings).await,
                AdminAction::Sessions => sessions(&place, surroundings).await,
                AdminAction::EndSession { id } => {
                    let path = format!("{SESSIONS}/{id}");
                    let request = Ask { method: "DELETE", path: &path, body: None };
                    let body = ask_once(&place, surroundings, request).await?.body;
                    if surroundings.output.is_json {
                        surroundings.output.json(&body)?;
                    } else {
                        surroundings.output.talk("The session has ended.");
                    }
                    Ok(ExitCode::SUCCESS)
                }
            }
        })
    }
}

/// Reads page after page.
async fn read_all(desk: &Desk, list: &str) -> anyhow::Result<Vec<Value>> {
    let (mut items, mut path) = (Vec::new(), format!("{list}?limit=200"));
    loop {
        let body = desk.ask(Ask::get(&path)).await?.body;
        items.extend(body["items"].as_array().cloned().unwrap_or_default());
        let Some(next) = body["nextCursor"].as_str() else { return Ok(items) };
        path = format!("{list}?limit=200&cursor={next}");
    }
}

async fn reset(place: &Place, name: &str, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
    let wanted = AccountName::parse(name).context("NAME")?.folded();
    let desk = Desk::open(place, surroundings).await?;
    let found = async {
        let accounts = read_all(&desk, ACCOUNTS).await?;
        let is_wanted = |account: &&Value| {
            let name = account["name"].as_str().and_then(|name| AccountName::parse(name).ok());
            name.is_some_and(|name| name.folded() == wanted)
        };
        let Some(account) = accounts.iter().find(is_wanted) else {
            bail!("there is no account of this name; patchproof admin accounts lists them")
        };
        let id = account["id"].as_str().unwrap_or_default();
        let path = format!("{ACCOUNTS}/{id}/reset");
        Ok(desk.ask(Ask::post(&path, json!({}))).await?.body)
    }
    .await;
    desk.close().await.context("the product did not stop as it should")?;
    show_link(&found?, surroundings)
}

async fn accounts(place: &Place, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
    let accounts = listed(place, ACCOUNTS, surroundings).await?;
    if accounts.is_empty() {
        surroundings.output.talk(
            "There is no account yet. patchproof admin setup-link prints the link with which the \
             first admin is made.",
        );
    }
    show(
        &accounts,
        account_cells,
        &["ACCOUNT", "ROLE", "STATE", "LAST LOGIN", "NAME"],
        surroundings,
    )
}

async fn sessions(place: &Place, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
    let sessions = listed(place, SESSIONS, surroundings).await?;
    let names = ["SESSION", "BEGAN", "USED", "BY", "ROLE", "NAME"];
    show(&sessions, session_cells, &names, surroundings)
}

async fn listed(
    place: &Place,
    list: &str,
    surroundings: &Surroundings,
) -> anyhow::Result<Vec<Value>> {
    let desk = Desk::open(place, surroundings).await?;
    let items = read_all(&desk, list).await;
    desk.close().await.context("the product did not stop as it should")?;
    items
}

/// Prints a link alone on standard output, for scripts, and what to do with it beside.
fn show_link(body: &Value, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
    let output = &surroundings.output;
    if output.is_json {
        output.json(body)?;
        return Ok(ExitCode::SUCCESS);
    }
    output.line(body["url"].as_str().unwrap_or_default())?;
    output.talk(
        "Open it in a browser within 30 minutes; it is good once. Where the server is reached under \
         another address than PUBLIC_URL, put that in front of /admin.",
    );
    Ok(ExitCode::SUCCESS)
}

fn show(
    items: &[Value],
    cells: fn(&Value) -> Vec<String>,
    names: &[&str],
    surroundings: &Surroundings,
) -> anyhow::Result<ExitCode> {
    let output = &surroundings.output;
    if output.is_json {
        output.json(&items)?;
    } else {
        output.table(names, &items.iter().map(cells).collect::<Vec<_>>())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn account_cells(account: &Value) -> Vec<String> {
    let text = |name: &str| account[name].as_str().unwrap_or("-").to_owned();
    let state = if account["disabled"] == true {
        "disabled"
    } else if account["hasPassword"] == true {
        "active"
    } else {
        "invited"
    };
    vec![text("id"), text("role"), state.to_owned(), text("lastLoginAt"), text("name")]
}

fn session_cells(session: &Value) -> Vec<String> {
    let text = |name: &str| session[name].as_str().unwrap_or("-").to_owned();
    ["id", "beganAt", "usedAt", "method", "role", "accountName"].map(text).to_vec()
}

fn parse_session(text: &str) -> Result<SessionId, String> {
    SessionId::parse(text).ok_or_else(|| "a session is named by 16 hexadecimal digits".to_owned())
}
