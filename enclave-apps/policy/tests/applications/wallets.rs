//! Wallets and their keys: made right, and refused where they do not belong.

use std::collections::BTreeSet;

use quorate_chain::ethereum::{Parity, Signed};
use quorate_protocol::activity::{AppReason, PolicyResponse};
use quorate_protocol::atoms::Bytes;
use quorate_protocol::cbor::from_bytes;
use quorate_protocol::organization::Wei;
use quorate_protocol::statement::{SignatureStatement, WALLET, WalletStatement};
use quorate_protocol::stored::StorageKey;
use quorate_protocol::wallet::{SealedAccount, Words, seed_context};
use quorate_wallet::{ExtendedKey, Mnemonic, Passphrase, RecoverableSignature};

use crate::system::{
    ETHER, HOME, NOW, Namespace, System, completed, founding, genesis, refused, signed, transfer,
};

#[test]
fn a_wallet_is_that_of_its_mnemonic() {
    let system = System::new();
    let made = system.wallet();
    let organization = system.organization.digest();
    let home = genesis(HOME.genesis);
    let context = seed_context(&home, &organization, &made.wallet, Words::TwentyFour);
    let key = StorageKey::from_bytes(&[HOME.seeds; 32]);
    let entropy = key
        .open(&context, &made.seed.stored())
        .expect("its own seed");
    assert_eq!(entropy.len(), 32);
    let mnemonic = Mnemonic::from_entropy(&entropy).expect("entropy");
    let master = ExtendedKey::master(&mnemonic.seed(&Passphrase::none())).expect("a key");
    for sealed in &made.accounts {
        let path = sealed.account.path.as_str().parse().expect("a path");
        let key = master.derive(&path).expect("a key").public_key();
        let public_key = sealed.account.public_key.as_slice();
        assert_eq!(key.to_compressed().as_slice(), public_key);
    }
    let statement = made.proof.unverified();
    assert_eq!(statement.kind.as_str(), WALLET);
    let statement: WalletStatement = from_bytes(statement.payload.as_slice()).expect("one");
    assert_eq!(statement.organization, organization);
    assert_eq!(statement.wallet, made.wallet);
    let accounts: Vec<_> = made.accounts.iter().map(|a| a.account.clone()).collect();
    assert_eq!(statement.accounts, accounts);
}

#[test]
fn every_wallet_is_another() {
    let system = System::new();
    let wallets: Vec<_> = (0..10).map(|at| system.wallet_at(NOW.0 + at)).collect();
    let ids: BTreeSet<_> = wallets
        .iter()
        .map(|w| w.wallet.as_slice().to_vec())
        .collect();
    let addresses: BTreeSet<_> = wallets
        .iter()
        .flat_map(|wallet| wallet.accounts.iter().map(|a| a.account.address))
        .collect();
    assert_eq!((ids.len(), addresses.len()), (10, 20));
}

#[test]
fn a_signed_transaction_recovers_to_the_address() {
    let system = System::new();
    let wallet = system.wallet();
    for account in &wallet.accounts {
        let made = signed(system.sign(account, transfer(ETHER)));
        let parsed = Signed::parse(made.transaction.as_slice()).expect("a signed transaction");
        assert_eq!(parsed.hash().as_slice(), made.hash.as_slice());
        assert_eq!(*parsed.unsigned().transaction(), transfer(ETHER));
        let signature = parsed.signature();
        let parity = match signature.parity() {
            Parity::Even => quorate_wallet::Parity::Even,
            Parity::Odd => quorate_wallet::Parity::Odd,
        };
        let signature = RecoverableSignature::from_bytes(&signature.to_bytes(), parity);
        let hash = parsed.unsigned().signing_hash();
        let sender = signature.expect("low s").recover(&hash).expect("a key");
        let address = quorate_operation::account_address(&sender.coordinates());
        assert_eq!(address, account.account.address);
        let statement = made.proof.unverified().payload.as_slice();
        let statement: SignatureStatement = from_bytes(statement).expect("a statement");
        assert_eq!(statement.transaction, made.hash);
        assert_eq!(statement.payment.account, account.account);
    }
}

/// The signature is deterministic, so another request for the same transaction gets the same one.
#[test]
fn the_same_transaction_gets_the_same_signature() {
    let system = System::new();
    let account = system.wallet().accounts.remove(0);
    let first = signed(system.sign(&account, transfer(ETHER)));
    system.edges.restart_signing(2);
    let body = system.signature_body(
        &account.account.address.to_string(),
        &quorate_chain::to_hex(
            quorate_chain::ethereum::Unsigned::new(transfer(ETHER))
                .expect("a transaction")
                .as_bytes(),
        ),
        NOW.0 + 1,
    );
    let second = signed(system.submit(system.submission(&body, Some(&account))));
    assert_eq!(first.transaction, second.transaction);
}

#[test]
fn a_request_without_its_account_fails_closed() {
    let system = System::new();
    let account = system.wallet().accounts.remove(0);
    let submission = {
        let unsigned = quorate_chain::ethereum::Unsigned::new(transfer(ETHER)).expect("one");
        let signer = account.account.address.to_string();
        let hex = quorate_chain::to_hex(unsigned.as_bytes());
        system.submission(&system.signature_body(&signer, &hex, NOW.0), None)
    };
    assert_eq!(
        refused(system.submit(submission)),
        AppReason::AccountMissing
    );
    signed(system.sign(&account, transfer(ETHER)));
}

/// The address in the request is one account's, the sealed key another's.
#[test]
fn an_account_that_is_not_the_signer_fails_closed() {
    let system = System::new();
    let wallet = system.wallet();
    let [first, second] = &wallet.accounts[..] else {
        panic!("two accounts");
    };
    let mut posing = first.clone();
    posing.account = second.account.clone();
    // The address fits, the key does not belong to it.
    assert_eq!(
        refused(system.sign(&posing, transfer(ETHER))),
        AppReason::AccountUnreadable
    );
    let unsigned = quorate_chain::ethereum::Unsigned::new(transfer(ETHER)).expect("one");
    let hex = quorate_chain::to_hex(unsigned.as_bytes());
    let body = system.signature_body(&first.account.address.to_string(), &hex, NOW.0);
    let answer = system.submit(system.submission(&body, Some(second)));
    assert_eq!(refused(answer), AppReason::AccountMismatch);
    signed(system.sign(first, transfer(ETHER)));
}

#[track_caller]
fn unreadable(system: &System, account: &SealedAccount) {
    assert_eq!(
        refused(system.sign(account, transfer(ETHER))),
        AppReason::AccountUnreadable
    );
}

#[test]
fn a_sealed_key_of_another_wallet_fails_closed() {
    let system = System::new();
    let (one, other) = (system.wallet_at(NOW.0), system.wallet_at(NOW.0 + 1));
    let mut swapped = one.accounts[0].clone();
    swapped.wallet = other.wallet.clone();
    unreadable(&system, &swapped);
    let mut swapped = one.accounts[0].clone();
    swapped.sealed = other.accounts[0].sealed.clone();
    unreadable(&system, &swapped);
    let mut seed = one.accounts[0].clone();
    seed.sealed = one.seed.clone();
    unreadable(&system, &seed);
    signed(system.sign(&one.accounts[0], transfer(ETHER)));
}

#[test]
fn a_sealed_key_of_another_organization_fails_closed() {
    let mut system = System::new();
    let account = system.wallet().accounts.remove(0);
    let home = system.organization.clone();
    system.organization = system
        .found(founding(Wei::from_u128(ETHER), 1))
        .expect("one");
    unreadable(&system, &account);
    system.organization = home;
    signed(system.sign(&account, transfer(ETHER)));
}

/// Once with the keys of that namespace, as it is, and once with ours, so that the associated data
/// are tested too.
#[test]
fn a_sealed_key_of_another_genesis_fails_closed() {
    for keys in [HOME.accounts, 0x33] {
        let elsewhere = Namespace {
            genesis: 8,
            seeds: 0x22,
            accounts: keys,
        };
        let there = System::of(elsewhere, Wei::from_u128(ETHER));
        let account = there.wallet().accounts.remove(0);
        unreadable(&System::new(), &account);
        signed(there.sign(&account, transfer(ETHER)));
    }
}

#[test]
fn a_sealed_key_altered_in_any_bit_fails_closed() {
    let system = System::new();
    let good = system.wallet().accounts.remove(0);
    for at in 0..good.sealed.ciphertext.as_slice().len() {
        let mut altered = good.clone();
        let mut bytes = altered.sealed.ciphertext.as_slice().to_vec();
        bytes[at] ^= 1 << (at % 8);
        altered.sealed.ciphertext = Bytes::new(bytes).expect("as long as before");
        unreadable(&system, &altered);
    }
    for at in 0..32 {
        let mut altered = good.clone();
        altered.sealed.salt[at] ^= 1;
        unreadable(&system, &altered);
    }
    let mut altered = good.clone();
    let mut key = altered.account.public_key.as_slice().to_vec();
    key[0] ^= 1;
    altered.account.public_key = Bytes::new(key).expect("33 bytes");
    assert_eq!(
        refused(system.sign(&altered, transfer(ETHER))),
        AppReason::AccountMismatch
    );
    signed(system.sign(&good, transfer(ETHER)));
}

#[test]
fn mnemonics_have_as_many_words_as_asked_for() {
    let system = System::new();
    for (at, (words, entropy)) in [(12, 16), (15, 20), (18, 24), (21, 28), (24, 32)]
        .into_iter()
        .enumerate()
    {
        let name = r#""walletName":"treasury""#;
        let body = system.wallet_body(NOW.0 + at as u64);
        let body = body.replace(name, &format!(r#"{name},"mnemonicLength":{words}"#));
        let response = system.submit(system.submission(&body, None));
        let quorate_protocol::activity::Outcome::Wallet(made) = completed(response).result else {
            panic!("a wallet was asked for");
        };
        // The tag is 16 bytes.
        assert_eq!(made.seed.ciphertext.as_slice().len(), entropy + 16);
    }
}

#[test]
fn a_path_twice_or_without_a_key_fails_closed() {
    let system = System::new();
    let body = system.wallet_body(NOW.0);
    for (from, to) in [
        ("m/44'/60'/0'/0/1", "m/44'/60'/0'/0/0"),
        ("m/44'/60'/0'/0/1", "m/44'/60'/0'/0/4294967296"),
        ("m/44'/60'/0'/0/1", "44/60"),
    ] {
        let body = body.replace(from, to);
        let answer = system.submit(system.submission(&body, None));
        assert_eq!(refused(answer), AppReason::RequestMalformed, "{to}");
    }
    let answer = system.submit(system.submission(&body, None));
    assert!(matches!(answer, PolicyResponse::Completed(_)));
}
