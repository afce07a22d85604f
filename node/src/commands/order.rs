//! A call that somebody pays for: its effect and fee are shown, and only then is it signed.

use std::io::{BufRead, IsTerminal, stdin};

use iota_chain::{Call, Client, Inclusion, Keypair, Rao, SubmitError, to_ss58};
use serde_json::{Value, json};

use crate::cli::{ChainArgs, SignArgs};
use crate::error::{Context, Error, Result};
use crate::outfit;
use crate::printer::Printer;
use crate::settings::{Surroundings, WalletPlace};

/// A connection, a wallet, and how to ask.
pub(super) struct Order {
    pub(super) client: Client,
    pub(super) netuid: u16,
    place: WalletPlace,
    printer: Printer,
    yes: bool,
    dry_run: bool,
}

/// What a call will do, for people and for machines.
pub(super) struct Effect {
    text: String,
    object: Value,
}

impl Effect {
    /// One line in words, and the same as a JSON object.
    pub(super) fn new(text: impl Into<String>, object: Value) -> Self {
        Self { text: text.into(), object }
    }
}

impl Order {
    /// Connects, where somebody can be asked or need not be.
    pub(super) async fn open(chain: &ChainArgs, sign: &SignArgs) -> Result<Self> {
        let asks = !sign.yes && !sign.dry_run;
        if asks && (sign.json || !stdin().is_terminal()) {
            return Err(Error::argument("nobody is there to agree to what is signed")
                .hint("pass `--yes` to sign, or `--dry-run` to see what it would do"));
        }
        let around = Surroundings::of_process();
        let place = around.wallet(&sign.wallet)?;
        let client = outfit::reach(chain).await?;
        let (yes, dry_run) = (sign.yes, sign.dry_run);
        let printer = Printer::new(sign.json);
        Ok(Self { client, netuid: chain.netuid, place, printer, yes, dry_run })
    }

    pub(super) fn printer(&self) -> Printer {
        self.printer
    }

    pub(super) fn coldkey(&self) -> Result<Keypair> {
        outfit::coldkey(&self.place)
    }

    pub(super) fn hotkey(&self) -> Result<Keypair> {
        outfit::hotkey(&self.place)
    }

    /// Shows what a call does and costs, asks, and sends it; what came of it, if it was sent.
    pub(super) async fn place(
        &self,
        what: &str,
        signer: &Keypair,
        call: &Call,
        effect: Effect,
    ) -> Result<Option<Inclusion>> {
        let fee = self.client.fee(&signer.public(), call).await.or_user("cannot read the fee")?;
        let Some(effect) = self.agreed(signer, effect, Some(fee))? else { return Ok(None) };
        let included = self.client.submit(signer, call).await;
        let included = included.map_err(|error| refused(what, &error))?;
        self.done(effect, included, &json!({}))?;
        Ok(Some(included))
    }

    /// Shows an effect and asks; none where nothing is to be sent.
    pub(super) fn agreed(
        &self,
        signer: &Keypair,
        mut effect: Effect,
        fee: Option<u64>,
    ) -> Result<Option<Effect>> {
        effect.object["signer"] = json!(to_ss58(&signer.public()));
        if let Some(fee) = fee {
            effect.object["fee_rao"] = json!(fee);
        }
        if self.printer == Printer::Text {
            let fee = fee.map_or(String::new(), |fee| format!(", for a fee of {}", Rao(fee)));
            self.printer.note(format!("{}{fee}", effect.text))?;
        }
        if self.dry_run {
            effect.object["sent"] = json!(false);
            match self.printer {
                Printer::Json => self.printer.object(&effect.object)?,
                Printer::Text => self.printer.line("nothing was sent")?,
            }
            return Ok(None);
        }
        if self.yes || agrees(self.printer)? {
            return Ok(Some(effect));
        }
        self.printer.line("nothing was sent")?;
        Ok(None)
    }

    /// Prints what was done.
    pub(super) fn done(&self, effect: Effect, at: Inclusion, more: &Value) -> Result<()> {
        let Effect { mut object, .. } = effect;
        match self.printer {
            Printer::Text => self.printer.line(format!("done in block {}", at.number))?,
            Printer::Json => {
                object["sent"] = json!(true);
                object["block"] = json!(at.number);
                object["extrinsic"] = json!(format!("0x{}", hex::encode(at.extrinsic)));
                for (name, value) in more.as_object().into_iter().flatten() {
                    object[name] = value.clone();
                }
                self.printer.object(&object)?;
            }
        }
        Ok(())
    }
}

/// What the chain said, as an error of this program.
pub(super) fn refused(what: &str, error: &SubmitError) -> Error {
    match error {
        SubmitError::Rejected { name, remedy } | SubmitError::Failed { name, remedy } => {
            Error::user(format!("{what}: the chain refused with {name}")).hint(remedy)
        }
        other => Error::user(format!("{what}: {other}")),
    }
}

fn agrees(printer: Printer) -> Result<bool> {
    printer.note("Sign and send it? [y/N]")?;
    let mut answer = String::new();
    stdin().lock().read_line(&mut answer).or_user("cannot read the terminal")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
