//! `iota register`.

use iota_chain::{Call, Rao};

use crate::cli::RegisterArgs;
use crate::error::{Context, Result};
use crate::outfit;
use crate::printer::Printer;
use crate::settings::Surroundings;

/// Burns the price and registers the hotkey.
pub(super) async fn run(args: &RegisterArgs) -> Result<()> {
    let around = Surroundings::of_process();
    let place = around.wallet(&args.wallet)?;
    let (coldkey, hotkey) = (outfit::coldkey(&place)?, outfit::hotkey(&place)?);
    let client = outfit::connect(&around.chain_url(args.chain.chain.as_deref())?).await?;
    let netuid = args.chain.netuid;
    let what = format!("cannot register on subnet {netuid}");
    let before = client.balance(&coldkey.public()).await.or_user(&what)?;
    let call = Call::BurnedRegister { netuid, hotkey: hotkey.public() };
    let included = client.submit(&coldkey, &call).await.or_user(&what)?;
    let after = client.balance(&coldkey.public()).await.or_user(&what)?;
    let (address, block) = (hotkey.ss58(), included.number);
    let paid = Rao(before.saturating_sub(after));
    Printer::Text.line(format!(
        "{address} is registered on subnet {netuid} since block {block}; it cost {paid}"
    ))?;
    Ok(())
}
