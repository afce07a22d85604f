//! Key files under a password: btcli's present form, and on reading its two older ones.
//!
//! ```text
//! $NACL            nonce (24) | XSalsa20Poly1305 box; key = Argon2i(password), 512 MiB, 8 passes
//! gAAAAA           a Fernet token; key = PBKDF2-SHA256(password), 10,000,000 rounds
//! $ANSIBLE_VAULT   vault 1.1 in hex; keys = PBKDF2-SHA256(password), 10,000 rounds
//! ```
//!
//! Salts of the first two are constants of the format, so equal passwords have equal keys: a weak
//! password is weaker here than elsewhere. Opening takes seconds, by intent.

use aes::cipher::{BlockDecryptMut, KeyIvInit, StreamCipher, block_padding::Pkcs7};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use crypto_secretbox::aead::{Aead, AeadCore, OsRng};
use crypto_secretbox::{KeyInit, Nonce, XSalsa20Poly1305};
use hmac::{Hmac, Mac};
use pbkdf2::pbkdf2_hmac;
use sha2::Sha256;
use zeroize::Zeroizing;

const NACL: &[u8] = b"$NACL";
const FERNET: &[u8] = b"gAAAAA";
const VAULT: &[u8] = b"$ANSIBLE_VAULT";
/// Salt of the Argon2 key, from the format.
const NACL_SALT: [u8; 16] = [
    0x13, 0x71, 0x83, 0xdf, 0xf1, 0x5a, 0x09, 0xbc, 0x9c, 0x90, 0xb5, 0x51, 0x87, 0x39, 0xe9, 0xb1,
];
/// Memory of the Argon2 key, in KiB, and its passes.
const NACL_MEMORY_KIB: u32 = 512 << 10;
const NACL_PASSES: u32 = 8;
/// Salt of the Fernet key, from the format.
const FERNET_SALT: &[u8] = b"Iguesscyborgslikemyselfhaveatendencytobeparanoidaboutourorigins";
const FERNET_ROUNDS: u32 = 10_000_000;
const VAULT_HEADER: &str = "$ANSIBLE_VAULT;1.1;AES256";
const VAULT_ROUNDS: u32 = 10_000;

/// Why a sealed file stays closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// The password is not the one it was sealed with, or the content was changed.
    Password,
    /// Not one of the forms.
    Form,
}

/// Whether these bytes are a key file under a password.
pub(super) fn is_sealed(bytes: &[u8]) -> bool {
    [NACL, FERNET, VAULT].iter().any(|prefix| bytes.starts_with(prefix))
}

/// Opens a sealed key file.
pub(super) fn open(bytes: &[u8], password: &str) -> Result<Zeroizing<Vec<u8>>, Closed> {
    if let Some(rest) = bytes.strip_prefix(NACL) {
        open_nacl(rest, password)
    } else if bytes.starts_with(FERNET) {
        open_fernet(bytes, password)
    } else {
        open_vault(bytes, password)
    }
}

/// Seals a key file in the present form.
pub(super) fn seal(plain: &[u8], password: &str) -> Result<Vec<u8>, Closed> {
    let nonce = XSalsa20Poly1305::generate_nonce(&mut OsRng);
    let sealed = nacl_box(password)?.encrypt(&nonce, plain).map_err(|_| Closed::Form)?;
    Ok([NACL, &nonce[..], &sealed].concat())
}

fn nacl_box(password: &str) -> Result<XSalsa20Poly1305, Closed> {
    let params = Params::new(NACL_MEMORY_KIB, NACL_PASSES, 1, Some(32));
    let argon = Argon2::new(Algorithm::Argon2i, Version::V0x13, params.map_err(|_| Closed::Form)?);
    let mut key = Zeroizing::new([0; 32]);
    argon
        .hash_password_into(password.as_bytes(), &NACL_SALT, &mut *key)
        .map_err(|_| Closed::Form)?;
    XSalsa20Poly1305::new_from_slice(&*key).map_err(|_| Closed::Form)
}

fn open_nacl(bytes: &[u8], password: &str) -> Result<Zeroizing<Vec<u8>>, Closed> {
    let (nonce, sealed) = bytes.split_first_chunk::<24>().ok_or(Closed::Form)?;
    let plain = nacl_box(password)?.decrypt(Nonce::from_slice(nonce), sealed);
    plain.map(Zeroizing::new).map_err(|_| Closed::Password)
}

fn open_fernet(token: &[u8], password: &str) -> Result<Zeroizing<Vec<u8>>, Closed> {
    let token = URL_SAFE.decode(token.trim_ascii()).map_err(|_| Closed::Form)?;
    let (signed, mac) = token.split_last_chunk::<32>().ok_or(Closed::Form)?;
    // Version (1), time (8), initialisation vector (16), ciphertext.
    let (header, sealed) = signed.split_first_chunk::<25>().ok_or(Closed::Form)?;
    let mut key = Zeroizing::new([0; 32]);
    pbkdf2_hmac::<Sha256>(password.as_bytes(), FERNET_SALT, FERNET_ROUNDS, &mut *key);
    let (signing, encryption) = key.split_at(16);
    verify(signing, signed, mac)?;
    let cipher = cbc::Decryptor::<aes::Aes128>::new_from_slices(encryption, &header[9..]);
    let plain = cipher.map_err(|_| Closed::Form)?.decrypt_padded_vec_mut::<Pkcs7>(sealed);
    plain.map(Zeroizing::new).map_err(|_| Closed::Form)
}

fn open_vault(bytes: &[u8], password: &str) -> Result<Zeroizing<Vec<u8>>, Closed> {
    let text = std::str::from_utf8(bytes).map_err(|_| Closed::Form)?;
    let (header, body) = text.split_once('\n').ok_or(Closed::Form)?;
    if header.trim() != VAULT_HEADER {
        return Err(Closed::Form);
    }
    // Hex of three lines of hex: salt, authentication, ciphertext.
    let body: String = body.split_whitespace().collect();
    let lines = hex::decode(body).map_err(|_| Closed::Form)?;
    let mut parts = lines.split(|byte| *byte == b'\n').map(hex::decode);
    let mut part = || parts.next().and_then(Result::ok).ok_or(Closed::Form);
    let (salt, mac, sealed) = (part()?, part()?, part()?);
    let mut keys = Zeroizing::new([0; 80]);
    pbkdf2_hmac::<Sha256>(password.as_bytes(), &salt, VAULT_ROUNDS, &mut *keys);
    verify(&keys[32..64], &sealed, &mac)?;
    let mut plain = Zeroizing::new(sealed);
    let cipher = ctr::Ctr128BE::<aes::Aes256>::new_from_slices(&keys[..32], &keys[64..]);
    cipher.map_err(|_| Closed::Form)?.apply_keystream(&mut plain);
    let padding = plain.last().map_or(0, |last| usize::from(*last));
    let length = plain.len().checked_sub(padding).ok_or(Closed::Form)?;
    plain.truncate(length);
    Ok(plain)
}

/// Checks an HMAC-SHA256 in constant time.
fn verify(key: &[u8], content: &[u8], mac: &[u8]) -> Result<(), Closed> {
    let mut hmac = <Hmac<Sha256> as Mac>::new_from_slice(key).map_err(|_| Closed::Form)?;
    hmac.update(content);
    hmac.verify_slice(mac).map_err(|_| Closed::Password)
}
