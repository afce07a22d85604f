//! Wallets written and read, with files that the Bittensor tools wrote.

use std::os::unix::fs::PermissionsExt;

use super::*;

const PHRASE: &str =
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";
const ADDRESS: &str = "5EPCUjPxiHAcNooYipQFWr9NmmXJKpNG5RhcntXwbtUySrgH";

fn password(text: &str) -> Password {
    text.to_owned().into()
}

#[test]
fn keys_round_trip_through_files_that_others_cannot_read() {
    let folder = tempfile::tempdir().unwrap();
    let wallet = Wallet::new(folder.path(), "alice");
    let cold = wallet.create_coldkey(&[1; 32]).unwrap();
    let hot = wallet.create_hotkey("default", &[2; 32]).unwrap();
    assert_eq!(wallet.coldkey(None).unwrap().public(), cold.public());
    assert_eq!(wallet.hotkey("default", None).unwrap().public(), hot.public());
    let mode = fs::metadata(wallet.coldkey_path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(matches!(wallet.create_coldkey(&[3; 32]), Err(WalletError::Exists { .. })));
    let public = fs::read_to_string(wallet.hotkey_path("defaultpub.txt")).unwrap();
    assert!(public.contains(&hot.ss58()) && !public.contains("secret"));
}

#[test]
fn hotkeys_whose_names_differ_after_a_dot_do_not_meet() {
    let folder = tempfile::tempdir().unwrap();
    let wallet = Wallet::new(folder.path(), "alice");
    let named = wallet.create_hotkey("gpu.new", &[1; 32]).unwrap();
    wallet.create_hotkey("gpu.1", &[2; 32]).unwrap();
    assert_eq!(wallet.hotkey("gpu.new", None).unwrap().public(), named.public());
}

#[test]
fn a_phrase_is_kept_and_replaced_only_on_demand() {
    let folder = tempfile::tempdir().unwrap();
    let wallet = Wallet::new(folder.path(), "carol");
    let secret = Secret::parse(&format!("  {PHRASE}\n")).unwrap();
    let new = NewKey { secret: &secret, password: None, overwrite: false };
    assert_eq!(wallet.write_coldkey(new).unwrap().ss58(), ADDRESS);
    assert!(fs::read_to_string(wallet.coldkey_path()).unwrap().contains(PHRASE));
    let other = Secret::generate();
    assert_eq!(other.phrase().map(|phrase| phrase.split(' ').count()), Some(12));
    let new = NewKey { secret: &other, password: None, overwrite: false };
    assert!(matches!(wallet.write_coldkey(new), Err(WalletError::Exists { .. })));
    let written = wallet.write_coldkey(NewKey { overwrite: true, ..new }).unwrap();
    assert_eq!(wallet.coldkey(None).unwrap().public(), written.public());
}

#[test]
fn files_that_others_encrypted_open_with_their_password_alone() {
    let fixtures = Path::new("tests/fixtures");
    for file in ["coldkey.nacl", "coldkey.fernet", "coldkey.vault"] {
        let path = fixtures.join(file);
        let key = read(&path, Some(&password("correct horse"))).unwrap();
        assert_eq!(key.ss58(), ADDRESS, "{file}");
        let wrong = read(&path, Some(&password("correct house")));
        assert!(matches!(wrong, Err(WalletError::WrongPassword { .. })), "{file}: {wrong:?}");
        assert!(matches!(read(&path, None), Err(WalletError::Encrypted { .. })), "{file}");
    }
}

#[test]
fn what_is_written_under_a_password_opens_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let wallet = Wallet::new(folder.path(), "dora");
    let (secret, word) = (Secret::parse(PHRASE).unwrap(), password("hunter2"));
    let new = NewKey { secret: &secret, password: Some(&word), overwrite: false };
    wallet.write_coldkey(new).unwrap();
    let bytes = fs::read(wallet.coldkey_path()).unwrap();
    assert!(bytes.starts_with(b"$NACL") && !bytes.windows(7).any(|part| part == b"abandon"));
    assert_eq!(wallet.coldkey(Some(&word)).unwrap().ss58(), ADDRESS);
}

#[test]
fn every_form_of_a_secret_is_read_the_phrase_before_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let key = |content: &str| {
        fs::write(&path, content).unwrap();
        read(&path, None).map(|key| key.ss58()).map_err(|error| error.to_string())
    };
    let file = |fields: &str| key(&format!("{{{fields}}}"));
    let seed = "0x4ed8d4b17698ddeaa1f1559f152f87b5d472f725ca86d341bd0276f1b61197e2";
    let private = "0x2ec306fc1c5bc2f0e3a2c7a6ec6014ca4a0823a7d7d42ad5e9d7f376a1c36c0d\
                   14a2ddb1ef1df4adba49f3a4d8c0f6205117907265f09a53ccf07a4e8616dfd8";
    let other = format!("0x{}", "11".repeat(32));
    for fields in [
        format!("\"secretPhrase\": \"{PHRASE}\", \"secretSeed\": \"{other}\""),
        format!("\"secretSeed\": \"{seed}\", \"cryptoType\": 1"),
        format!("\"privateKey\": \"{private}\", \"secretSeed\": null"),
        format!("\"secretSeed\": \"{seed}\", \" ss58Address\": \"{ADDRESS}\""),
    ] {
        assert_eq!(file(&fields).as_deref(), Ok(ADDRESS), "{fields}");
    }
    assert_eq!(key(PHRASE).as_deref(), Ok(ADDRESS));
    assert_eq!(key(seed).as_deref(), Ok(ADDRESS));
    let edwards = file(&format!("\"secretSeed\": \"{seed}\", \"cryptoType\": 0")).unwrap_err();
    assert!(edwards.contains("no sr25519 key"), "{edwards}");
}

#[test]
fn corrupt_files_are_named_without_quoting_them() {
    let folder = tempfile::tempdir().unwrap();
    let wallet = Wallet::new(folder.path(), "bob");
    wallet.create_coldkey(&[1; 32]).unwrap();
    let path = wallet.coldkey_path();
    let cases = [
        ("{\"secretSeed\": 0xabcdef", "JSON is broken at line 1"),
        ("{}", "it holds no secret phrase, seed or key"),
        ("{\"secretSeed\": \"0xabc\"}", "its secret is not valid"),
        ("abcdef words that are no phrase", "its secret is not valid"),
        ("$NACLxyz", "is encrypted"),
    ];
    for (content, expected) in cases {
        fs::write(&path, content).unwrap();
        let text = wallet.coldkey(None).unwrap_err().to_string();
        assert!(text.contains(expected) && text.contains("coldkey"), "{text}");
        assert!(!text.contains("abc"), "{text}");
    }
    for broken in ["$NACLxyz", "gAAAAA!", "gAAAAABk", "$ANSIBLE_VAULT;1.1;AES256\n00"] {
        fs::write(&path, broken).unwrap();
        let text = wallet.coldkey(Some(&password("x"))).unwrap_err().to_string();
        assert!(text.contains("its encryption is of no known form"), "{text}");
    }
    fs::remove_file(&path).unwrap();
    wallet.create_coldkey(&[1; 32]).unwrap();
    let other = Keypair::from_seed(&[9; 32]).ss58();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace(&Keypair::from_seed(&[1; 32]).ss58(), &other)).unwrap();
    assert!(wallet.coldkey(None).unwrap_err().to_string().contains("does not belong"));
}
