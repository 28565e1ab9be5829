//! The same for organizations, wallets, tickets, statements and policy's messages.

use quorate_protocol::activity::{
    AppReason, AppRefusal, Completed, Denied, Outcome as Done, PolicyRequest, PolicyResponse,
    Submission,
};
use quorate_protocol::organization::{Address, Founding, Organization, Wei};
use quorate_protocol::statement::{
    Decision, Outcome, SignatureStatement, Subject, WalletStatement,
};
use quorate_protocol::ticket::{
    CreateWallet, MadeWallet, NewWallet, NewWalletFields, Operation, Payment, Redeem, Redeemed,
    SignTransaction, SignedTransaction, Ticket, TicketFields, TransactionFacts,
};
use quorate_protocol::wallet::{Account, Path, SealedAccount, Words};

use super::*;

/// An amount, small ones and large ones.
fn wei() -> impl Strategy<Value = Wei> {
    prop_oneof![
        any::<u128>().prop_map(Wei::from_u128),
        any::<[u8; 32]>().prop_map(Wei),
    ]
}

fn address() -> impl Strategy<Value = Address> {
    any::<[u8; 20]>().prop_map(Address)
}

fn path() -> impl Strategy<Value = Path> {
    "m(/[0-9]{1,5}'?){1,9}".prop_map(|text| Path::new(&text).expect("a path"))
}

fn account() -> impl Strategy<Value = Account> {
    (path(), address(), bytes()).prop_map(|(path, address, public_key)| Account {
        path,
        address,
        public_key,
    })
}

fn new_wallet() -> impl Strategy<Value = NewWallet> {
    let paths = prop::collection::hash_set(path(), 1..=16);
    (select(Words::ALL.to_vec()), paths).prop_map(|(words, paths)| {
        let paths = paths.into_iter().collect();
        Checked::new(NewWalletFields { words, paths }).expect("different paths")
    })
}

fn payment() -> impl Strategy<Value = Payment> {
    let numbers = any::<(u64, u64, u64, u64, u64)>();
    let facts = (
        numbers,
        prop::option::of(address()),
        (wei(), wei(), wei(), wei()),
    );
    let facts = facts.prop_map(|(numbers, to, amounts)| {
        let (chain, nonce, gas, data, access_list) = numbers;
        let (value, max_fee, max_priority_fee, cost) = amounts;
        TransactionFacts {
            chain,
            nonce,
            to,
            value,
            gas,
            max_fee,
            max_priority_fee,
            cost,
            data,
            access_list,
        }
    });
    (bytes(), account(), facts, bytes()).prop_map(|(wallet, account, facts, signing_hash)| {
        Payment {
            wallet,
            account,
            facts,
            signing_hash,
        }
    })
}

fn organization() -> impl Strategy<Value = Organization> {
    let parts = (digest(), key(), wei(), any::<u64>(), bytes());
    parts.prop_map(|(genesis, owner, limit, chain, nonce)| Organization {
        founding: Founding {
            genesis,
            owner,
            limit,
            chain,
            nonce,
        },
    })
}

fn operation() -> impl Strategy<Value = Operation> {
    let create = (digest(), sha256(), new_wallet());
    let create = create.prop_map(|(organization, fingerprint, wallet)| {
        Operation::CreateWallet(CreateWallet {
            organization,
            fingerprint,
            wallet,
        })
    });
    let sign = (digest(), sha256(), payment(), bytes());
    let sign = sign.prop_map(|(organization, fingerprint, payment, transaction)| {
        Operation::SignTransaction(Box::new(SignTransaction {
            organization,
            fingerprint,
            payment,
            transaction,
        }))
    });
    prop_oneof![create, sign]
}

fn ticket() -> impl Strategy<Value = Ticket> {
    let parts = (
        key(),
        (name(), any::<u64>()),
        (name(), any::<u64>()),
        1..=u64::MAX,
        digest(),
        time(),
    );
    parts.prop_map(|(instance, issuer, redeemer, number, operation, expiry)| {
        let fields = TicketFields {
            instance,
            issuer: issuer.0,
            issuer_start: issuer.1,
            redeemer: redeemer.0,
            redeemer_start: redeemer.1,
            number,
            operation,
            expiry,
        };
        Checked::new(fields).expect("a number from 1")
    })
}

fn decision() -> impl Strategy<Value = Decision> {
    let subject = prop_oneof![
        new_wallet().prop_map(Subject::Wallet),
        payment().prop_map(Subject::Payment),
    ];
    let outcome = prop_oneof![
        digest().prop_map(Outcome::Allowed),
        select(AppReason::ALL.to_vec()).prop_map(Outcome::Denied),
    ];
    let parts = (
        (sha256(), digest(), key()),
        subject,
        wei(),
        any::<u64>(),
        outcome,
        time(),
    );
    parts.prop_map(|(whose, subject, limit, chain, outcome, time)| Decision {
        fingerprint: whose.0,
        organization: whose.1,
        owner: whose.2,
        subject,
        limit,
        chain,
        outcome,
        time,
    })
}

fn sealed_account() -> impl Strategy<Value = SealedAccount> {
    (bytes(), account(), sealed_secret()).prop_map(|(wallet, account, sealed)| SealedAccount {
        wallet,
        account,
        sealed,
    })
}

fn app_refusal() -> impl Strategy<Value = AppRefusal> {
    (select(AppReason::ALL.to_vec()), text())
        .prop_map(|(reason, detail)| AppRefusal { reason, detail })
}

fn policy_request() -> impl Strategy<Value = PolicyRequest> {
    let found = signed(organization().prop_map(|o| o.founding));
    let submit = (
        bytes(),
        text(),
        signed(organization()),
        prop::option::of(sealed_account()),
    );
    let submit = submit.prop_map(|(body, stamp, organization, account)| {
        PolicyRequest::Submit(Box::new(Submission {
            body,
            stamp,
            organization,
            account,
        }))
    });
    prop_oneof![
        found.prop_map(|f| PolicyRequest::Found(Box::new(f))),
        submit
    ]
}

fn redeemed() -> impl Strategy<Value = Redeemed> {
    let wallet = (
        bytes(),
        sealed_secret(),
        vec(sealed_account(), 1..=16),
        signed(proof()),
    );
    let wallet = wallet.prop_map(|(wallet, seed, accounts, proof)| {
        Redeemed::Wallet(Box::new(MadeWallet {
            wallet,
            seed,
            accounts,
            proof,
        }))
    });
    let transaction = (bytes(), bytes(), signed(proof()));
    let transaction = transaction.prop_map(|(transaction, hash, proof)| {
        Redeemed::Transaction(Box::new(SignedTransaction {
            transaction,
            hash,
            proof,
        }))
    });
    prop_oneof![
        wallet,
        transaction,
        app_refusal().prop_map(Redeemed::Refused)
    ]
}

fn policy_response() -> impl Strategy<Value = PolicyResponse> {
    let result = redeemed().prop_filter_map("no result", |redeemed| match redeemed {
        Redeemed::Wallet(made) => Some(Done::Wallet(made)),
        Redeemed::Transaction(signed) => Some(Done::Transaction(signed)),
        Redeemed::Refused(_) => None,
    });
    let completed = (signed(proof()), ticket(), operation(), result);
    let completed = completed.prop_map(|(decision, ticket, operation, result)| {
        PolicyResponse::Completed(Box::new(Completed {
            decision,
            ticket,
            operation,
            result,
        }))
    });
    let denied = (signed(proof()), app_refusal()).prop_map(|(decision, refusal)| {
        PolicyResponse::Denied(Box::new(Denied { decision, refusal }))
    });
    prop_oneof![
        signed(organization()).prop_map(|o| PolicyResponse::Founded(Box::new(o))),
        completed,
        denied,
        app_refusal().prop_map(PolicyResponse::Refused),
    ]
}

proptest! {
    #![proptest_config(config(64))]

    #[test]
    fn any_object_of_the_applications_decodes_to_itself(
        who in select(PEOPLE.to_vec()),
        organization in organization(),
        (operation, ticket, account) in (operation(), ticket(), prop::option::of(sealed_secret())),
        (decision, redeemed) in (decision(), redeemed()),
        (request, response) in (policy_request(), policy_response()),
        (fingerprint, payment, hash) in (sha256(), payment(), bytes()),
        (accounts, wallet, words) in (vec(account(), 1..=16), bytes(), select(Words::ALL.to_vec())),
    ) {
        let (key, public) = (signing(who), verification(who));
        signed_survives(&Signed::sign(organization.founding.clone(), &key), &public)?;
        signed_survives(&Signed::sign(organization.clone(), &key), &public)?;
        let (organization, names) = (Digest::of(&organization), Digest::of(&ticket));
        survives(&operation)?;
        survives(&ticket)?;
        survives(&decision)?;
        survives(&redeemed)?;
        survives(&request)?;
        survives(&response)?;
        survives(&Redeem { ticket, operation, account })?;
        survives(&SignatureStatement {
            fingerprint,
            organization,
            ticket: names,
            payment,
            transaction: hash,
        })?;
        survives(&WalletStatement {
            fingerprint,
            organization,
            ticket: names,
            wallet,
            words,
            accounts,
        })?;
    }
}
