//! Reading dynamic values: the few shapes that we expect, with errors that name what was read.

use subxt::ext::scale_value::{Composite, Primitive, Value, ValueDef};

/// A named field of a struct, or of the struct inside a newtype.
pub(crate) fn field<'a, T>(value: &'a Value<T>, name: &str) -> Option<&'a Value<T>> {
    match &value.value {
        ValueDef::Composite(Composite::Named(fields)) => {
            fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
        }
        ValueDef::Composite(Composite::Unnamed(fields)) if fields.len() == 1 => {
            field(&fields[0], name)
        }
        _ => None,
    }
}

/// The elements of a list, or of the list inside a newtype such as `BoundedVec`.
pub(crate) fn list<T>(value: &Value<T>) -> Vec<&Value<T>> {
    match &value.value {
        ValueDef::Composite(Composite::Unnamed(fields)) => match &fields[..] {
            [only] if matches!(only.value, ValueDef::Composite(_)) => list(only),
            _ => fields.iter().collect(),
        },
        _ => Vec::new(),
    }
}

/// The bytes of a byte list, however deep in newtypes.
pub(crate) fn bytes<T>(value: &Value<T>) -> Option<Vec<u8>> {
    match &value.value {
        ValueDef::Composite(composite) => {
            let values: Vec<&Value<T>> = composite.values().collect();
            match &values[..] {
                [only] if matches!(only.value, ValueDef::Composite(_)) => bytes(only),
                values => values.iter().map(|value| byte(value)).collect(),
            }
        }
        _ => None,
    }
}

fn byte<T>(value: &Value<T>) -> Option<u8> {
    match &value.value {
        ValueDef::Primitive(Primitive::U128(number)) => u8::try_from(*number).ok(),
        _ => None,
    }
}

/// Name and arguments of a variant.
pub(crate) fn variant<T>(value: &Value<T>) -> Option<(&str, Vec<&Value<T>>)> {
    match &value.value {
        ValueDef::Variant(variant) => {
            Some((variant.name.as_str(), variant.values.values().collect()))
        }
        _ => None,
    }
}
