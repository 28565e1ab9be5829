//! A wallet's owner, as a client of the demo's enclave: an organization, a wallet, a transfer, one
//! over the limit, and a ticket shown a second time.
//!
//! What it sends is what any client sends: JSON bodies with stamps. What it keeps is what any client
//! keeps: the organization and the sealed keys. Whether what it was told is good is for the
//! verification of the evidence to say.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use p256::ecdsa::SigningKey as OwnerKey;
use quorate_chain::ethereum::{Address, Eip1559, Unsigned};
use quorate_chain::{U256, to_hex};
use quorate_es256::{SigningKey as _, portable};
use quorate_protocol::activity::{
    AppReason, Completed, Denied, Outcome, PolicyRequest, PolicyResponse, Submission,
};
use quorate_protocol::application::ApplicationProof;
use quorate_protocol::atoms::{Bytes, Text};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Genesis;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::organization::{Founding, Organization, Uuid, Wei};
use quorate_protocol::ticket::{MadeWallet, Redeem, Redeemed, SignedTransaction};
use quorate_protocol::wallet::SealedAccount;
use quorate_replayer::{ReplayRequest, ReplayResponse};
use quorate_request::{
    Account, AddressFormat, CreateWallet, Curve, Identifier, KeyReference, Label, PathFormat,
    Request, SignTransaction, Stamp, Submit, TransactionFormat,
};
use quorate_twins::Twin as _;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::failure::{Failure, Fault};
use crate::stage::enclave::Connection;

/// Sepolia, a test network: what is signed in a demo is worth nothing anywhere.
const CHAIN: u64 = 11_155_111;
/// The most that one transaction may cost: one ether.
const LIMIT: u128 = 1_000_000_000_000_000_000;
/// What the transfer is worth: a quarter of it.
const VALUE: u128 = LIMIT / 4;
/// Gas of a plain transfer, and the most a unit of it may cost.
const GAS: u64 = 21_000;
const MAX_FEE: u128 = 30_000_000_000;
/// Where its wallet's account is (BIP-44, Ethereum).
const PATH: &str = "m/44'/60'/0'/0/0";
/// To whom it pays: nobody's address.
const RECIPIENT: [u8; 20] = [0x11; 20];

/// The owner of an organization.
pub(super) struct Client {
    policy: PathBuf,
    replayer: PathBuf,
    /// Stamps requests.
    key: portable::SigningKey,
    organization: Signed<Organization>,
    proofs: Vec<Signed<ApplicationProof>>,
}

/// What came of a demo's requests.
pub(super) struct Outcomes {
    /// The account, with the checksum of EIP-55.
    pub(super) address: String,
    /// The signed transaction, ready to be sent: `0x` and hexadecimal.
    pub(super) transaction: String,
    /// Its hash: `0x` and hexadecimal.
    pub(super) transaction_hash: String,
    /// Everything, for `transaction.json`.
    pub(super) record: Value,
    /// Every statement that was made.
    pub(super) proofs: Vec<Signed<ApplicationProof>>,
}

impl Client {
    /// Makes a key, and has policy found an organization with it.
    pub(super) fn found(sockets: &Path, genesis: &str) -> Result<Self, Failure> {
        let genesis: Digest<Genesis> =
            Digest::from_hex(genesis).ok_or_else(|| broken("the genesis is no digest"))?;
        let (scalar, owner) = loop {
            let scalar = random::<32>()?;
            // Almost every number is a scalar.
            if let Ok(key) = OwnerKey::from_slice(scalar.as_slice()) {
                break (scalar, key);
            }
        };
        let founding = Founding {
            genesis,
            owner: VerificationKey::of(&owner),
            limit: Wei::from_u128(LIMIT),
            chain: CHAIN,
            nonce: Bytes::new(random::<16>()?.to_vec()).map_err(|_| broken("no nonce"))?,
        };
        let policy = sockets.join("port-5100.sock");
        let request = PolicyRequest::Found(Box::new(Signed::sign(founding, &owner)));
        let organization = match ask(&policy, &request)? {
            PolicyResponse::Founded(organization) => *organization,
            other => return Err(unexpected("an organization", &other)),
        };
        Ok(Self {
            policy,
            replayer: sockets.join("port-5101.sock"),
            key: portable::SigningKey::from_scalar(&scalar).map_err(|_| broken("no key"))?,
            organization,
            proofs: Vec::new(),
        })
    }

    /// Has a wallet made.
    pub(super) fn wallet(&mut self) -> Result<MadeWallet, Failure> {
        let account = Account {
            curve: Curve::Secp256k1,
            path_format: PathFormat::Bip32,
            path: PATH.into(),
            address_format: AddressFormat::Ethereum,
            name: None,
        };
        let parameters = CreateWallet {
            wallet_name: Label::new("demo").map_err(|_| broken("no name"))?,
            accounts: vec![account],
            mnemonic_length: None,
        };
        let request = Request::CreateWallet(self.around(parameters)?);
        let completed = self.completed(&request, None)?;
        let Outcome::Wallet(made) = completed.result else {
            return Err(broken("it did something else than make a wallet"));
        };
        self.proofs.extend([completed.decision, made.proof.clone()]);
        Ok(*made)
    }

    /// Has a transfer signed.
    pub(super) fn transfer(&mut self, account: &SealedAccount) -> Result<Transfer, Failure> {
        let body = self.transfer_of(account, VALUE)?;
        let completed = self.completed(&body, Some(account))?;
        let Outcome::Transaction(signed) = &completed.result else {
            return Err(broken("it did something else than sign"));
        };
        let signed = (**signed).clone();
        self.proofs
            .extend([completed.decision.clone(), signed.proof.clone()]);
        Ok(Transfer {
            request: body.to_json(),
            completed,
            signed,
        })
    }

    /// Asks for one that costs one wei more than the limit, and takes the refusal.
    pub(super) fn too_much(&mut self, account: &SealedAccount) -> Result<Denied, Failure> {
        let fees = u128::from(GAS) * MAX_FEE;
        let body = self.transfer_of(account, LIMIT - fees + 1)?;
        match self.submit(&body, Some(account))? {
            PolicyResponse::Denied(denied) if denied.refusal.reason == AppReason::OverLimit => {
                self.proofs.push(denied.decision.clone());
                Ok(*denied)
            }
            other => Err(unexpected("a refusal over the limit", &other)),
        }
    }

    /// Has another application show signing the ticket of a transfer again, and takes the refusal.
    pub(super) fn replay(
        &self,
        account: &SealedAccount,
        transfer: &Transfer,
    ) -> Result<AppReason, Failure> {
        let redeem = Redeem {
            ticket: transfer.completed.ticket.clone(),
            operation: transfer.completed.operation.clone(),
            account: Some(account.sealed.clone()),
        };
        let shown = ReplayRequest::Show(Box::new(redeem));
        match Connection::open(&self.replayer)?.ask(&shown)? {
            ReplayResponse::Answered(answer) => match *answer {
                Redeemed::Refused(refusal) if refusal.reason == AppReason::TicketUsed => {
                    Ok(refusal.reason)
                }
                Redeemed::Refused(refusal) => Err(broken(&format!(
                    "a ticket that was shown again was refused as {}",
                    refusal.reason.name()
                ))),
                _ => Err(broken("a ticket that was shown again was redeemed")),
            },
            ReplayResponse::Unanswered => Err(broken("signing did not answer")),
        }
    }

    /// Everything, to be kept.
    pub(super) fn finish(
        self,
        account: &SealedAccount,
        transfer: Transfer,
        denied: &Denied,
        replayed: AppReason,
    ) -> Outcomes {
        let address = Address::new(account.account.address.0).to_string();
        let transaction = format!("0x{}", to_hex(transfer.signed.transaction.as_slice()));
        let transaction_hash = format!("0x{}", to_hex(transfer.signed.hash.as_slice()));
        let organization = self.organization.unverified();
        let record = json!({
            "about": "A transfer that an enclave of this demo signed, on a test network. The \
                      evidence beside this file holds the statements of the applications.",
            "organization": Uuid::of(&self.organization.digest()).to_string(),
            "owner": organization.founding.owner.to_string(),
            "limit_wei": organization.founding.limit.to_string(),
            "chain_id": organization.founding.chain,
            "address": address,
            "transaction": transaction,
            "transaction_hash": transaction_hash,
            "request": transfer.request,
            "ticket": transfer.completed.ticket.twin(),
            "operation": transfer.completed.operation.twin(),
            "refused": {
                "over_the_limit": denied.refusal.twin(),
                "ticket_shown_again": replayed.name(),
            },
        });
        Outcomes {
            address,
            transaction,
            transaction_hash,
            record,
            proofs: self.proofs,
        }
    }

    fn transfer_of(&self, account: &SealedAccount, value: u128) -> Result<Request, Failure> {
        let transaction = Unsigned::new(Eip1559 {
            chain_id: CHAIN,
            nonce: 0,
            max_priority_fee_per_gas: MAX_FEE / 30,
            max_fee_per_gas: MAX_FEE,
            gas_limit: GAS,
            to: Some(Address::new(RECIPIENT)),
            value: U256::from(value),
            data: Vec::new(),
            access_list: Vec::new(),
        });
        let transaction = transaction.map_err(|error| broken(&error.to_string()))?;
        let address = Address::new(account.account.address.0).to_string();
        let parameters = SignTransaction {
            key: KeyReference::SignWith(
                Identifier::new(&address).map_err(|_| broken("no address"))?,
            ),
            unsigned_transaction: to_hex(transaction.as_bytes()),
            format: TransactionFormat::Ethereum,
        };
        Ok(Request::SignTransaction(self.around(parameters)?))
    }

    fn around<P>(&self, parameters: P) -> Result<Submit<P>, Failure> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let since = since.map_err(|_| broken("this machine's clock is before 1970"))?;
        let id = Uuid::of(&self.organization.digest()).to_string();
        Ok(Submit {
            timestamp_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            organization_id: Identifier::new(&id).map_err(|_| broken("no identifier"))?,
            parameters,
            generate_app_proofs: true,
        })
    }

    fn completed(
        &self,
        request: &Request,
        account: Option<&SealedAccount>,
    ) -> Result<Completed, Failure> {
        match self.submit(request, account)? {
            PolicyResponse::Completed(completed) => Ok(*completed),
            other => Err(unexpected("what was asked for", &other)),
        }
    }

    fn submit(
        &self,
        request: &Request,
        account: Option<&SealedAccount>,
    ) -> Result<PolicyResponse, Failure> {
        let body = request.to_json().into_bytes();
        let stamp = Stamp::make(&self.key, &body).map_err(|_| broken("no stamp"))?;
        let submission = Submission {
            body: Bytes::new(body).map_err(|_| broken("the body is too long"))?,
            stamp: Text::new(&stamp).map_err(|_| broken("the stamp is too long"))?,
            organization: self.organization.clone(),
            account: account.cloned(),
        };
        ask(&self.policy, &PolicyRequest::Submit(Box::new(submission)))
    }
}

/// A transfer that was signed.
pub(super) struct Transfer {
    request: String,
    completed: Completed,
    signed: SignedTransaction,
}

fn ask(policy: &Path, request: &PolicyRequest) -> Result<PolicyResponse, Failure> {
    Connection::open(policy)?.ask(request)
}

fn random<const LEN: usize>() -> Result<Zeroizing<[u8; LEN]>, Failure> {
    let mut bytes = Zeroizing::new([0; LEN]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| broken("the system gives no randomness"))?;
    Ok(bytes)
}

fn unexpected(wanted: &str, found: &PolicyResponse) -> Failure {
    let found = match found {
        PolicyResponse::Refused(refusal) => format!("policy refused: {refusal}"),
        PolicyResponse::Denied(denied) => format!("policy denied it: {}", denied.refusal),
        PolicyResponse::Founded(_) | PolicyResponse::Completed(_) => {
            "policy answered another question".into()
        }
    };
    broken(&format!("instead of {wanted}: {found}"))
}

fn broken(what: &str) -> Failure {
    Failure::refused(
        Fault::Quorate,
        "wallet-failed",
        what,
        "report it with this text",
    )
}
