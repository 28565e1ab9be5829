//! Samples of organizations, wallets, tickets and what is said about them.

use quorate_protocol::activity::{
    AppReason, AppRefusal, Completed, Denied, Outcome as Result, PolicyRequest, PolicyResponse,
    Submission,
};
use quorate_protocol::application::ApplicationProof;
use quorate_protocol::atoms::{Bytes, Sha256};
use quorate_protocol::cbor::{Checked, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::organization::{Address, Founding, Organization, Wei};
use quorate_protocol::statement::{
    DECISION, Decision, KEY_GENERATION, Outcome, POLICY, SIGNATURE, SIGNING, SignatureStatement,
    Subject, WALLET, WalletStatement,
};
use quorate_protocol::stored::SealedSecret;
use quorate_protocol::ticket::{
    CreateWallet, MadeWallet, NewWallet, NewWalletFields, Operation, Payment, Redeem, Redeemed,
    SignTransaction, SignedTransaction, Ticket, TicketFields, TransactionFacts,
};
use quorate_protocol::wallet::{Account, Path, SealedAccount, WalletId, Words};

use quorate_sealing::StorageSuite;

use crate::keys::{scalar, signing, verification};
use crate::samples::{Sample, plain, signed};
use crate::world::{World, bytes, name, text, time};

const BODY: &[u8] = br#"{"type":"ACTIVITY_TYPE_CREATE_WALLET"}"#;
const ETHER: u128 = 1_000_000_000_000_000_000;

/// A body is opaque to the contract; its fingerprint is what others name.
fn fingerprint() -> Sha256 {
    Sha256::of(BODY)
}

fn founding(world: &World) -> Founding {
    Founding {
        genesis: world.genesis,
        owner: verification("owner"),
        limit: Wei::from_u128(ETHER),
        chain: 1,
        nonce: bytes(&scalar("founding nonce")[..16]),
    }
}

fn organization(world: &World) -> Organization {
    let founding = founding(world);
    Organization { founding }
}

fn wallet() -> WalletId {
    bytes(&scalar("wallet")[..16])
}

fn path(last: u32) -> Path {
    Path::new(&format!("m/44'/60'/0'/0/{last}")).expect("a path")
}

/// Not the account of any key: the contract does not look.
fn account(last: u32) -> Account {
    let mut address = [0; 20];
    address.copy_from_slice(&scalar(&format!("address {last}"))[..20]);
    Account {
        path: path(last),
        address: Address(address),
        public_key: bytes(&verification("owner").to_compressed()),
    }
}

/// Opens nothing: the contract does not look.
fn sealed(what: &str) -> SealedSecret {
    let ciphertext = [scalar(&format!("{what} ciphertext")), scalar(what)].concat();
    SealedSecret {
        suite: StorageSuite::HkdfSha256Aes256Gcm,
        salt: scalar(&format!("{what} salt")).into(),
        ciphertext: bytes(&ciphertext[..48]),
    }
}

fn new_wallet() -> NewWallet {
    let paths = vec![path(0), path(1)];
    let words = Words::TwentyFour;
    Checked::new(NewWalletFields { words, paths }).expect("two paths")
}

fn facts(to: Option<Address>, value: Wei) -> TransactionFacts {
    TransactionFacts {
        chain: 1,
        nonce: 7,
        to,
        value,
        gas: 21_000,
        max_fee: Wei::from_u128(30_000_000_000),
        max_priority_fee: Wei::from_u128(1_000_000_000),
        cost: value,
        data: 0,
        access_list: 0,
    }
}

fn payment(facts: TransactionFacts) -> Payment {
    Payment {
        wallet: wallet(),
        account: account(0),
        facts,
        signing_hash: bytes(&scalar("signing hash")),
    }
}

fn transfer() -> Payment {
    let value = Wei::from_u128(ETHER / 4);
    payment(facts(Some(Address([0x11; 20])), value))
}

fn creation(world: &World) -> Operation {
    Operation::CreateWallet(CreateWallet {
        organization: Digest::of(&organization(world)),
        fingerprint: fingerprint(),
        wallet: new_wallet(),
    })
}

fn signature(world: &World) -> Operation {
    Operation::SignTransaction(Box::new(SignTransaction {
        organization: Digest::of(&organization(world)),
        fingerprint: fingerprint(),
        payment: transfer(),
        transaction: bytes(b"\x02an unsigned transaction"),
    }))
}

fn ticket(operation: &Operation, redeemer: &str, number: u64) -> Ticket {
    let fields = TicketFields {
        instance: verification("live es256"),
        issuer: name(POLICY),
        issuer_start: 1,
        redeemer: name(redeemer),
        redeemer_start: 2,
        number,
        operation: Digest::of(operation),
        expiry: time(600),
    };
    Checked::new(fields).expect("a number from 1")
}

fn decision(world: &World, subject: Subject, outcome: Outcome) -> Decision {
    Decision {
        fingerprint: fingerprint(),
        organization: Digest::of(&organization(world)),
        owner: verification("owner"),
        subject,
        limit: Wei::from_u128(ETHER),
        chain: 1,
        outcome,
        time: time(500),
    }
}

fn proof(world: &World, who: &str, kind: &str, payload: &[u8]) -> Signed<ApplicationProof> {
    let proof = ApplicationProof {
        genesis: world.genesis,
        application: name(who),
        start: 1,
        kind: name(kind),
        payload: bytes(payload),
    };
    Signed::sign(proof, &signing(&format!("{who} live")))
}

/// Everything that belongs to one wallet and one transaction.
struct Parts {
    founding: Signed<Founding>,
    organization: Signed<Organization>,
    creation: (Operation, Ticket, Decision, WalletStatement),
    signature: (Operation, Ticket, Decision, SignatureStatement),
}

fn parts(world: &World) -> Parts {
    let policy = world.derived(POLICY, quorate_protocol::instance::Purpose::Signing);
    let (creation, signature) = (creation(world), signature(world));
    let made = ticket(&creation, KEY_GENERATION, 1);
    let spent = ticket(&signature, SIGNING, 2);
    let organization = organization(world);
    let digest = Digest::of(&organization);
    let wallet_statement = WalletStatement {
        fingerprint: fingerprint(),
        organization: digest,
        ticket: Digest::of(&made),
        wallet: wallet(),
        words: Words::TwentyFour,
        accounts: vec![account(0), account(1)],
    };
    let signature_statement = SignatureStatement {
        fingerprint: fingerprint(),
        organization: digest,
        ticket: Digest::of(&spent),
        payment: transfer(),
        transaction: bytes(&scalar("transaction hash")),
    };
    let (allowed_wallet, allowed_payment) = (
        Outcome::Allowed(Digest::of(&made)),
        Outcome::Allowed(Digest::of(&spent)),
    );
    Parts {
        founding: Signed::sign(founding(world), &signing("owner")),
        organization: Signed::sign(organization, &policy.signing_key()),
        creation: (
            creation,
            made,
            decision(world, Subject::Wallet(new_wallet()), allowed_wallet),
            wallet_statement,
        ),
        signature: (
            signature,
            spent,
            decision(world, Subject::Payment(transfer()), allowed_payment),
            signature_statement,
        ),
    }
}

pub(crate) fn samples(world: &World) -> Vec<Sample> {
    let parts = parts(world);
    let policy = world.derived(POLICY, quorate_protocol::instance::Purpose::Signing);
    let policy = quorate_protocol::keys::VerificationKey::of(&policy.signing_key());
    let (creation, made, allowed_wallet, wallet_statement) = &parts.creation;
    let (signature, spent, allowed_payment, signature_statement) = &parts.signature;
    let everything = Wei::MAX;
    let contract = facts(None, everything);
    let denied = decision(
        world,
        Subject::Payment(payment(contract)),
        Outcome::Denied(AppReason::OverLimit),
    );
    let mut samples = vec![
        signed("owner", &parts.founding, "owner", verification("owner")),
        signed("policy", &parts.organization, "policy signing", policy),
        plain("create a wallet", creation),
        plain("sign a transaction", signature),
        plain("for key-generation", made),
        plain("for signing", spent),
        plain("allowed wallet", allowed_wallet),
        plain("allowed payment", allowed_payment),
        plain("denied, creates a contract", &denied),
        plain("two accounts", wallet_statement),
        plain("a transfer", signature_statement),
    ];
    let made_wallet = MadeWallet {
        wallet: wallet(),
        seed: sealed("seed"),
        accounts: vec![sealed_account(0), sealed_account(1)],
        proof: proof(world, KEY_GENERATION, WALLET, &to_bytes(wallet_statement)),
    };
    let signed_transaction = SignedTransaction {
        transaction: bytes(b"\x02a signed transaction"),
        hash: bytes(&scalar("transaction hash")),
        proof: proof(world, SIGNING, SIGNATURE, &to_bytes(signature_statement)),
    };
    samples.extend(messages(&parts, &made_wallet, &signed_transaction));
    samples.extend(answers(
        world,
        &parts,
        &denied,
        made_wallet,
        signed_transaction,
    ));
    samples.sort_by_key(|sample| sample.kind.label);
    samples
}

fn sealed_account(last: u32) -> SealedAccount {
    SealedAccount {
        wallet: wallet(),
        account: account(last),
        sealed: sealed(&format!("account {last}")),
    }
}

fn messages(parts: &Parts, made: &MadeWallet, signed: &SignedTransaction) -> Vec<Sample> {
    let redeem = |operation: &Operation, ticket: &Ticket, account| Redeem {
        ticket: ticket.clone(),
        operation: operation.clone(),
        account,
    };
    let refused = AppRefusal::from(AppReason::TicketUsed);
    vec![
        plain(
            "a wallet",
            &redeem(&parts.creation.0, &parts.creation.1, None),
        ),
        plain(
            "a transaction",
            &redeem(
                &parts.signature.0,
                &parts.signature.1,
                Some(sealed("account 0")),
            ),
        ),
        plain("wallet", &Redeemed::Wallet(Box::new(made.clone()))),
        plain(
            "transaction",
            &Redeemed::Transaction(Box::new(signed.clone())),
        ),
        plain("refused", &Redeemed::Refused(refused)),
    ]
}

fn answers(
    world: &World,
    parts: &Parts,
    denied: &Decision,
    made: MadeWallet,
    signed: SignedTransaction,
) -> Vec<Sample> {
    let submission = |account| {
        PolicyRequest::Submit(Box::new(Submission {
            body: Bytes::new(BODY.to_vec()).expect("a short body"),
            stamp: text("eyJwdWJsaWNLZXkiOiIwMiJ9"),
            organization: parts.organization.clone(),
            account,
        }))
    };
    let completed = |(operation, ticket, decision): (&Operation, &Ticket, &Decision), result| {
        PolicyResponse::Completed(Box::new(Completed {
            decision: proof(world, POLICY, DECISION, &to_bytes(decision)),
            ticket: ticket.clone(),
            operation: operation.clone(),
            result,
        }))
    };
    let (creation, signature) = (&parts.creation, &parts.signature);
    let refusal = AppRefusal::new(AppReason::OverLimit, "it may cost more");
    let denied = Denied {
        decision: proof(world, POLICY, DECISION, &to_bytes(denied)),
        refusal: refusal.clone(),
    };
    vec![
        plain(
            "found",
            &PolicyRequest::Found(Box::new(parts.founding.clone())),
        ),
        plain("submit", &submission(None)),
        plain(
            "submit with an account",
            &submission(Some(sealed_account(0))),
        ),
        plain(
            "founded",
            &PolicyResponse::Founded(Box::new(parts.organization.clone())),
        ),
        plain(
            "completed, a wallet",
            &completed(
                (&creation.0, &creation.1, &creation.2),
                Result::Wallet(Box::new(made)),
            ),
        ),
        plain(
            "completed, a transaction",
            &completed(
                (&signature.0, &signature.1, &signature.2),
                Result::Transaction(Box::new(signed)),
            ),
        ),
        plain("denied", &PolicyResponse::Denied(Box::new(denied))),
        plain("refused", &PolicyResponse::Refused(refusal)),
    ]
}
