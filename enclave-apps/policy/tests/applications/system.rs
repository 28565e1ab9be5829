//! The three applications with edges that are function calls, and a client.

use std::sync::{Arc, Mutex};

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng as _;
use p256::ecdsa::SigningKey as P256;
use quorate_chain::ethereum::{Address as ChainAddress, Eip1559, Unsigned};
use quorate_chain::{U256, to_hex};
use quorate_es256::{SigningKey as _, portable};
use quorate_key_generation::KeyGeneration;
use quorate_operation::{Identity, Issuer, Redeemer, Start};
use quorate_policy::{Calls, Performer, Policy, Unanswered};
use quorate_protocol::activity::{
    AppReason, AppRefusal, Completed, Denied, Outcome, PolicyRequest, PolicyResponse, Submission,
};
use quorate_protocol::application::ApplicationProof;
use quorate_protocol::atoms::{Bytes, Name, Text, UnixMillis};
use quorate_protocol::cbor::{from_bytes, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Genesis;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::organization::{Founding, Organization, Uuid, Wei};
use quorate_protocol::statement::{KEY_GENERATION, POLICY, SIGNING};
use quorate_protocol::stored::StorageKey;
use quorate_protocol::ticket::{MadeWallet, Redeem, Redeemed, SignedTransaction};
use quorate_protocol::wallet::SealedAccount;
use quorate_request::{
    Account, AddressFormat, CreateWallet, Curve, Identifier, KeyReference, Label, PathFormat,
    Request, SignTransaction, Stamp, Submit, TransactionFormat,
};
use quorate_signing::Signing;

pub(crate) const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
pub(crate) const ETHER: u128 = 1_000_000_000_000_000_000;
pub(crate) const CHAIN: u64 = 1;

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

pub(crate) fn scalar(byte: u8) -> P256 {
    P256::from_slice(&[byte; 32]).expect("a scalar")
}

pub(crate) fn stamper(byte: u8) -> portable::SigningKey {
    portable::SigningKey::from_scalar(&[byte; 32]).expect("a scalar")
}

pub(crate) fn genesis(byte: u8) -> Digest<Genesis> {
    Digest::from_bytes([byte; 32])
}

pub(crate) fn identity(who: &str, start: u64) -> Identity {
    Identity {
        instance: VerificationKey::of(&scalar(0x77)),
        start: Start::new(&name(who), start),
    }
}

/// A proof under a key that anybody can make: whose it is, is not tested here.
pub(crate) fn proof(who: &str, kind: &str, payload: Vec<u8>) -> Option<Signed<ApplicationProof>> {
    let proof = ApplicationProof {
        genesis: genesis(1),
        application: name(who),
        start: 1,
        kind: name(kind),
        payload: Bytes::new(payload).ok()?,
    };
    Some(Signed::sign(proof, &scalar(0x66)))
}

/// What the namespace and the manifest fix: the genesis and the storage keys.
#[derive(Clone, Copy)]
pub(crate) struct Namespace {
    pub(crate) genesis: u8,
    pub(crate) seeds: u8,
    pub(crate) accounts: u8,
}

pub(crate) const HOME: Namespace = Namespace {
    genesis: 1,
    seeds: 2,
    accounts: 3,
};

/// The call edges.
pub(crate) struct Edges {
    namespace: Namespace,
    /// Which start of policy has the edges.
    pub(crate) issuer: Start,
    state: Mutex<State>,
}

struct State {
    key_generation: (KeyGeneration, Start),
    signing: (Signing, Start),
    rng: ChaCha20Rng,
    /// Every message, in order.
    messages: Vec<Vec<u8>>,
    /// What the next call meets instead of its application.
    next: Option<Result<Vec<u8>, Unanswered>>,
}

fn key_generation(namespace: Namespace, start: u64) -> (KeyGeneration, Start) {
    let me = identity(KEY_GENERATION, start);
    let application = KeyGeneration::new(
        genesis(namespace.genesis),
        Redeemer::new(me.clone(), name(POLICY)),
        Arc::new(StorageKey::from_bytes(&[namespace.seeds; 32])),
        Arc::new(StorageKey::from_bytes(&[namespace.accounts; 32])),
    );
    (application, me.start)
}

pub(crate) fn signing(namespace: Namespace, start: u64) -> (Signing, Start) {
    let me = identity(SIGNING, start);
    let application = Signing::new(
        genesis(namespace.genesis),
        Redeemer::new(me.clone(), name(POLICY)),
        Arc::new(StorageKey::from_bytes(&[namespace.accounts; 32])),
    );
    (application, me.start)
}

impl Edges {
    fn new(namespace: Namespace, issuer: Start) -> Self {
        let state = State {
            key_generation: key_generation(namespace, 1),
            signing: signing(namespace, 1),
            rng: ChaCha20Rng::from_seed([9; 32]),
            messages: Vec::new(),
            next: None,
        };
        Self {
            namespace,
            issuer,
            state: Mutex::new(state),
        }
    }

    /// signing is started again.
    pub(crate) fn restart_signing(&self, start: u64) {
        self.state.lock().expect("whole").signing = signing(self.namespace, start);
    }

    /// The next call gets this answer.
    pub(crate) fn next(&self, answer: Result<Vec<u8>, Unanswered>) {
        self.state.lock().expect("whole").next = Some(answer);
    }

    /// The messages so far.
    pub(crate) fn messages(&self) -> Vec<Vec<u8>> {
        self.state.lock().expect("whole").messages.clone()
    }

    /// The ticket, operation and key that went to signing last.
    pub(crate) fn captured(&self) -> Redeem {
        let messages = self.messages();
        from_bytes(messages.last().expect("a call")).expect("a message")
    }

    /// Somebody shows signing a message.
    pub(crate) fn show(&self, peer: &Start, message: &[u8], now: UnixMillis) -> Redeemed {
        let state = self.state.lock().expect("whole");
        let prove = |kind: &str, payload| proof(SIGNING, kind, payload);
        state.signing.0.answer(peer, message, now, &prove)
    }

    /// Somebody shows key-generation a message.
    pub(crate) fn show_key_generation(&self, peer: &Start, message: &[u8]) -> Redeemed {
        let mut state = self.state.lock().expect("whole");
        let State {
            key_generation,
            rng,
            ..
        } = &mut *state;
        let prove = |kind: &str, payload| proof(KEY_GENERATION, kind, payload);
        key_generation.0.answer(peer, message, NOW, rng, &prove)
    }
}

/// The edges as policy has them.
pub(crate) struct Shared(Arc<Edges>);

impl Calls for Shared {
    fn call(
        &self,
        performer: Performer,
        make: &mut dyn FnMut(&Start) -> Vec<u8>,
    ) -> Result<Vec<u8>, Unanswered> {
        let mut state = self.0.state.lock().expect("whole");
        let State {
            key_generation,
            signing,
            rng,
            messages,
            next,
        } = &mut *state;
        let message = match performer {
            Performer::KeyGeneration => make(&key_generation.1),
            Performer::Signing => make(&signing.1),
        };
        messages.push(message.clone());
        if let Some(next) = next.take() {
            return next;
        }
        let answer = match performer {
            Performer::KeyGeneration => {
                let prove = |kind: &str, payload| proof(KEY_GENERATION, kind, payload);
                let application = &key_generation.0;
                application.answer(&self.0.issuer, &message, NOW, rng, &prove)
            }
            Performer::Signing => {
                let prove = |kind: &str, payload| proof(SIGNING, kind, payload);
                signing.0.answer(&self.0.issuer, &message, NOW, &prove)
            }
        };
        Ok(to_bytes(&answer))
    }
}

/// A system with one organization, whose owner is the client.
pub(crate) struct System {
    pub(crate) policy: Policy<portable::VerifyingKey, Shared>,
    pub(crate) edges: Arc<Edges>,
    pub(crate) organization: Signed<Organization>,
}

/// A client that holds the key of this byte.
pub(crate) const OWNER: u8 = 5;

pub(crate) fn founding(limit: Wei, nonce: u8) -> Founding {
    Founding {
        genesis: genesis(HOME.genesis),
        owner: VerificationKey::of(&scalar(OWNER)),
        limit,
        chain: CHAIN,
        nonce: Bytes::new(vec![nonce; 16]).expect("16 bytes"),
    }
}

impl System {
    pub(crate) fn new() -> Self {
        Self::of(HOME, Wei::from_u128(ETHER))
    }

    pub(crate) fn of(namespace: Namespace, limit: Wei) -> Self {
        Self::with(namespace, limit, 1000)
    }

    pub(crate) fn with(namespace: Namespace, limit: Wei, remembers: usize) -> Self {
        let me = identity(POLICY, 1);
        let edges = Arc::new(Edges::new(namespace, me.start.clone()));
        let policy = Policy::new(
            genesis(namespace.genesis),
            scalar(4),
            Issuer::new(me),
            remembers,
            Shared(Arc::clone(&edges)),
        );
        let mut terms = founding(limit, 0);
        terms.genesis = genesis(namespace.genesis);
        let mut system = Self {
            policy,
            edges,
            organization: Signed::sign(
                Organization {
                    founding: terms.clone(),
                },
                &scalar(0x55),
            ),
        };
        system.organization = system.found(terms).expect("a founding");
        system
    }

    pub(crate) fn found(&self, terms: Founding) -> Result<Signed<Organization>, AppRefusal> {
        let founding = Signed::sign(terms, &scalar(OWNER));
        match self.ask(&PolicyRequest::Found(Box::new(founding)), NOW) {
            PolicyResponse::Founded(organization) => Ok(*organization),
            PolicyResponse::Refused(refusal) => Err(refusal),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn ask(&self, request: &PolicyRequest, now: UnixMillis) -> PolicyResponse {
        let prove = |kind: &str, payload| proof(POLICY, kind, payload);
        let answer = self.policy.answer(&to_bytes(request), now, &prove);
        from_bytes(&answer).expect("an answer of the contract")
    }

    pub(crate) fn id(&self) -> String {
        Uuid::of(&self.organization.digest()).to_string()
    }

    /// A submission of this body, stamped by the owner.
    pub(crate) fn submission(&self, body: &str, account: Option<&SealedAccount>) -> Submission {
        let stamp = Stamp::make(&stamper(OWNER), body.as_bytes()).expect("a stamp");
        Submission {
            body: Bytes::new(body.as_bytes().to_vec()).expect("a body"),
            stamp: Text::new(&stamp).expect("a stamp"),
            organization: self.organization.clone(),
            account: account.cloned(),
        }
    }

    pub(crate) fn submit(&self, submission: Submission) -> PolicyResponse {
        self.ask(&PolicyRequest::Submit(Box::new(submission)), NOW)
    }

    pub(crate) fn wallet_body(&self, timestamp: u64) -> String {
        let account = |path: &str| Account {
            curve: Curve::Secp256k1,
            path_format: PathFormat::Bip32,
            path: path.into(),
            address_format: AddressFormat::Ethereum,
            name: None,
        };
        let parameters = CreateWallet {
            wallet_name: Label::new("treasury").expect("a label"),
            accounts: vec![account("m/44'/60'/0'/0/0"), account("m/44'/60'/0'/0/1")],
            mnemonic_length: None,
        };
        Request::CreateWallet(self.around(parameters, timestamp)).to_json()
    }

    pub(crate) fn signature_body(&self, signer: &str, unsigned: &str, timestamp: u64) -> String {
        let parameters = SignTransaction {
            key: KeyReference::SignWith(Identifier::new(signer).expect("an address")),
            unsigned_transaction: unsigned.into(),
            format: TransactionFormat::Ethereum,
        };
        Request::SignTransaction(self.around(parameters, timestamp)).to_json()
    }

    fn around<P>(&self, parameters: P, timestamp_ms: u64) -> Submit<P> {
        Submit {
            timestamp_ms,
            organization_id: Identifier::new(&self.id()).expect("an id"),
            parameters,
            generate_app_proofs: false,
        }
    }

    /// Creates a wallet with two accounts.
    pub(crate) fn wallet(&self) -> MadeWallet {
        self.wallet_at(NOW.0)
    }

    pub(crate) fn wallet_at(&self, timestamp: u64) -> MadeWallet {
        let response = self.submit(self.submission(&self.wallet_body(timestamp), None));
        match completed(response).result {
            Outcome::Wallet(made) => *made,
            Outcome::Transaction(_) => panic!("a wallet was asked for"),
        }
    }

    /// Asks for a transaction of this account.
    pub(crate) fn sign(&self, account: &SealedAccount, transaction: Eip1559) -> PolicyResponse {
        let unsigned = Unsigned::new(transaction).expect("a transaction");
        let signer = account.account.address.to_string();
        let body = self.signature_body(&signer, &to_hex(unsigned.as_bytes()), NOW.0);
        self.submit(self.submission(&body, Some(account)))
    }
}

/// A transfer that costs at most `cost` wei: 21,000 units of gas at no more than one wei, and the
/// rest as value.
pub(crate) fn transfer(cost: u128) -> Eip1559 {
    Eip1559 {
        chain_id: CHAIN,
        nonce: 7,
        max_priority_fee_per_gas: 1,
        max_fee_per_gas: 1,
        gas_limit: 21_000,
        to: Some(ChainAddress::new([0x11; 20])),
        value: U256::from(cost - 21_000),
        data: Vec::new(),
        access_list: Vec::new(),
    }
}

#[track_caller]
pub(crate) fn completed(response: PolicyResponse) -> Completed {
    match response {
        PolicyResponse::Completed(completed) => *completed,
        other => panic!("not completed: {other:?}"),
    }
}

#[track_caller]
pub(crate) fn signed(response: PolicyResponse) -> SignedTransaction {
    match completed(response).result {
        Outcome::Transaction(signed) => *signed,
        Outcome::Wallet(_) => panic!("a signature was asked for"),
    }
}

#[track_caller]
pub(crate) fn denied(response: PolicyResponse) -> Denied {
    match response {
        PolicyResponse::Denied(denied) => *denied,
        other => panic!("not denied: {other:?}"),
    }
}

#[track_caller]
pub(crate) fn refused(response: PolicyResponse) -> AppReason {
    match response {
        PolicyResponse::Refused(refusal) => refusal.reason,
        other => panic!("not refused: {other:?}"),
    }
}
