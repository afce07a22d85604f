//! Parameters by the names that the chain's own calls have: whatever AdminUtils can set, now and
//! after an upgrade.

use scale_info::form::PortableForm;
use scale_info::{Field, PortableRegistry, TypeDef, TypeDefPrimitive};

use crate::call::{Argument, Call};
use crate::client::Client;
use crate::error::ReadError;

const PALLET: &str = "AdminUtils";
const PREFIX: &str = "sudo_set_";

/// Why a parameter cannot be set so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// The chain could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// No call sets it.
    #[error("the chain has no parameter `{name}`")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What it may be instead.
        near: Vec<String>,
    },
    /// The call takes other arguments.
    #[error("`{name}` takes {wanted}")]
    Arguments {
        /// The parameter.
        name: String,
        /// Its arguments.
        wanted: String,
    },
}

impl Client {
    /// The call that sets a parameter, of a subnet where it belongs to one.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn admin_call(
        &self,
        netuid: u16,
        name: &str,
        values: &[String],
    ) -> Result<Call, AdminError> {
        let at = self.latest().await?;
        let metadata = at.metadata_ref();
        let pallet = metadata.pallet_by_name(PALLET);
        let call = format!("{PREFIX}{name}");
        let Some(found) = pallet.and_then(|pallet| pallet.call_variant_by_name(&call)) else {
            let names = pallet.and_then(|pallet| pallet.call_variants()).unwrap_or_default();
            let names = names.iter().filter_map(|call| call.name.strip_prefix(PREFIX));
            let near = names.filter(|known| known.contains(name) || name.contains(known));
            let near = near.map(str::to_owned).collect();
            return Err(AdminError::Unknown { name: name.to_owned(), near });
        };
        let of_subnet = found.fields.first().and_then(|field| field.name.as_deref());
        let mut arguments = Vec::new();
        let mut fields = found.fields.iter();
        if of_subnet == Some("netuid") {
            arguments.push(Argument::Number(netuid.into()));
            fields.next();
        }
        let fields: Vec<_> = fields.collect();
        let wrong = || {
            let wanted: Vec<String> = fields.iter().map(|field| shown(field)).collect();
            AdminError::Arguments { name: name.to_owned(), wanted: wanted.join(", ") }
        };
        if fields.len() != values.len() {
            return Err(wrong());
        }
        for (field, value) in fields.iter().zip(values) {
            let argument = match kind(metadata.types(), field.ty.id) {
                Some(Kind::Bool) => value.parse().ok().map(Argument::Bool),
                Some(Kind::Integer) => value.parse().ok().map(Argument::Number),
                None => fraction(field, value).map(Argument::Number),
            };
            arguments.push(argument.ok_or_else(wrong)?);
        }
        Ok(Call::Admin { call, arguments })
    }
}

/// The bits of a number in fixed point, whose type is named as by the crate `fixed`: `U64F64`.
fn fraction(field: &Field<PortableForm>, typed: &str) -> Option<i128> {
    let (whole, after) = field.type_name.as_deref()?.rsplit_once('F')?;
    let is_fixed = whole.strip_prefix(['U', 'I']).is_some_and(|bits| bits.parse::<u8>().is_ok());
    let after: i32 = after.parse().ok().filter(|bits| is_fixed && (0..=64).contains(bits))?;
    let scaled = (typed.parse::<f64>().ok()? * 2_f64.powi(after)).round();
    let fits = scaled.is_finite() && scaled.abs() < 2_f64.powi(127);
    fits.then_some(scaled as i128)
}

/// What can be typed for an argument.
enum Kind {
    Bool,
    Integer,
}

/// The kind of a type, or of what a newtype wraps; none for others, whose numbers mean something else
/// than themselves.
fn kind(types: &PortableRegistry, id: u32) -> Option<Kind> {
    match &types.resolve(id)?.type_def {
        TypeDef::Primitive(TypeDefPrimitive::Bool) => Some(Kind::Bool),
        TypeDef::Primitive(
            TypeDefPrimitive::U8
            | TypeDefPrimitive::U16
            | TypeDefPrimitive::U32
            | TypeDefPrimitive::U64
            | TypeDefPrimitive::U128
            | TypeDefPrimitive::I8
            | TypeDefPrimitive::I16
            | TypeDefPrimitive::I32
            | TypeDefPrimitive::I64
            | TypeDefPrimitive::I128,
        ) => Some(Kind::Integer),
        TypeDef::Composite(newtype) => match &newtype.fields[..] {
            [only] if only.name.is_none() => kind(types, only.ty.id),
            _ => None,
        },
        _ => None,
    }
}

/// An argument as its call declares it.
fn shown(field: &Field<PortableForm>) -> String {
    let name = field.name.as_deref().unwrap_or("value");
    match &field.type_name {
        Some(type_name) => format!("{name}: {type_name}"),
        None => name.to_owned(),
    }
}
