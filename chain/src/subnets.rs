//! Subnets: which there are, what one costs, and how they are set.

use subxt::dynamic;
use subxt::ext::scale_decode::DecodeAsType;
use subxt::ext::scale_value::{Composite, Primitive, Value, ValueDef};

use crate::Hotkey;
use crate::client::{Client, rpc};
use crate::error::ReadError;
use crate::storage::Storage;
use crate::value::{bytes, field, list, variant};

/// Most subnets read.
const MAX_SUBNETS: usize = 4096;

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// Its number.
    pub netuid: u16,
    /// What its owner calls it; not checked by anybody.
    pub name: String,
    /// Who owns it.
    pub owner: Hotkey,
    /// Blocks per epoch.
    pub tempo: u16,
    /// TAO in its pool, in rao.
    pub tao_in: u64,
    /// Alpha in its pool, in rao.
    pub alpha_in: u64,
    /// Alpha outside of it, in rao.
    pub alpha_out: u64,
    /// Rao of TAO for one alpha.
    pub price: u64,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct DynamicInfo {
    netuid: u16,
    owner_coldkey: Hotkey,
    subnet_name: Vec<u8>,
    tempo: u16,
    alpha_in: u64,
    alpha_out: u64,
    tao_in: u64,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct Price {
    netuid: u16,
    price: u64,
}

impl Client {
    /// All subnets, by number.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn subnets(&self) -> Result<Vec<Subnet>, ReadError> {
        const WHAT: &str = "the subnets";
        let at = self.latest().await?;
        let apis = at.runtime_apis();
        let all = dynamic::runtime_api_call::<_, Vec<Option<DynamicInfo>>>(
            "SubnetInfoRuntimeApi",
            "get_all_dynamic_info",
            (),
        );
        let prices = dynamic::runtime_api_call::<_, Vec<Price>>(
            "SwapRuntimeApi",
            "current_alpha_price_all",
            (),
        );
        let (all, prices) =
            tokio::try_join!(rpc(WHAT, apis.call(all)), rpc(WHAT, apis.call(prices)))?;
        if all.len() > MAX_SUBNETS || prices.len() > MAX_SUBNETS {
            return Err(ReadError::form(WHAT, format_args!("{} subnets", all.len())));
        }
        let price = |netuid| {
            let found = prices.iter().find(|price| price.netuid == netuid);
            found.map_or(0, |price| price.price)
        };
        let subnet = |info: DynamicInfo| Subnet {
            netuid: info.netuid,
            name: readable(&info.subnet_name),
            owner: info.owner_coldkey,
            tempo: info.tempo,
            tao_in: info.tao_in,
            alpha_in: info.alpha_in,
            alpha_out: info.alpha_out,
            price: price(info.netuid),
        };
        Ok(all.into_iter().flatten().map(subnet).collect())
    }

    /// What a new subnet costs now, in rao.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn subnet_cost(&self) -> Result<u64, ReadError> {
        let at = self.latest().await?;
        let call = dynamic::runtime_api_call::<_, u64>(
            "SubnetRegistrationRuntimeApi",
            "get_network_registration_cost",
            (),
        );
        rpc("the cost of a subnet", at.runtime_apis().call(call)).await
    }

    /// What a neuron costs on a subnet now, in rao.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn registration_cost(&self, netuid: u16) -> Result<u64, ReadError> {
        const WHAT: &str = "the cost of a registration";
        let at = self.latest().await?;
        let of = Storage::new(&at, "SubtensorModule", WHAT);
        Ok(of.get::<_, u64>("Burn", (netuid,)).await?.unwrap_or(0))
    }

    /// A subnet's parameters with their values in words, as its runtime names them; none where there
    /// is no such subnet.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn hyperparameters(
        &self,
        netuid: u16,
    ) -> Result<Option<Vec<(String, String)>>, ReadError> {
        const WHAT: &str = "the hyperparameters";
        const API: &str = "SubnetInfoRuntimeApi";
        let at = self.latest().await?;
        let known = at.metadata_ref().runtime_api_trait_by_name(API);
        // Later forms say more.
        let method = ["get_subnet_hyperparams_v3", "get_subnet_hyperparams_v2"]
            .into_iter()
            .find(|method| known.is_some_and(|api| api.method_by_name(method).is_some()))
            .unwrap_or("get_subnet_hyperparams");
        let call = dynamic::runtime_api_call::<_, Value>(API, method, (netuid,));
        let found = rpc(WHAT, at.runtime_apis().call(call)).await?;
        let Some(content) = some(&found) else { return Ok(None) };
        let pairs = match &content.value {
            ValueDef::Composite(Composite::Named(fields)) => {
                fields.iter().map(|(name, value)| (name.clone(), shown(value))).collect()
            }
            _ => list(content).into_iter().filter_map(entry).collect(),
        };
        Ok(Some(pairs))
    }
}

/// What is inside `Some`; what is no option is itself.
fn some(value: &Value) -> Option<&Value> {
    match variant(value) {
        Some(("None", _)) => None,
        Some(("Some", values)) => values.first().copied(),
        _ => Some(value),
    }
}

/// Name and value of a `HyperparamEntry`.
fn entry(value: &Value) -> Option<(String, String)> {
    let name = String::from_utf8(bytes(field(value, "name")?)?).ok()?;
    let (_, values) = variant(field(value, "value")?)?;
    Some((name, shown(values.first()?)))
}

fn shown(value: &Value) -> String {
    match &value.value {
        ValueDef::Primitive(Primitive::Bool(yes)) => yes.to_string(),
        ValueDef::Primitive(Primitive::U128(number)) => number.to_string(),
        ValueDef::Primitive(Primitive::I128(number)) => number.to_string(),
        // A newtype.
        ValueDef::Composite(composite) if composite.len() == 1 => {
            composite.values().next().map(shown).unwrap_or_default()
        }
        _ => value.to_string(),
    }
}

/// A name that others chose, fit for a terminal.
fn readable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().filter(|letter| !letter.is_control()).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_steer_a_terminal() {
        assert_eq!(readable(b"alpha\x1b[2J\n\xff"), "alpha[2J\u{fffd}");
        assert_eq!(readable(&[b'a'; 100]).len(), 64);
    }
}
