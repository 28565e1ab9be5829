//! The command line of `quorate ceremony`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use quorate_protocol::atoms::Name;
use quorate_protocol::definition::{AgeLimit, Definition};
use quorate_protocol::digest::Digest;
use quorate_protocol::forward::ApprovalRule;
use quorate_protocol::genesis::Genesis;
use quorate_quorum_ceremony::address::Address;
use quorate_quorum_ceremony::inputs::{ApplicationSpec, Binary};
use quorate_quorum_ceremony::steps::attest::InstanceStage;
use quorate_quorum_ceremony::steps::manifest::ForwardPlan;
use quorate_token::{KeyUri, TokenUri};
use quorate_verify::attestation::Partition;

pub(crate) use super::begin_arguments::{
    Acting, ExceptionArguments, NewArguments, NextArguments, PreflightArguments,
};
pub(crate) use super::carried_arguments::{ByFiles, CarryArguments, age_limit};
pub(crate) use super::drill_arguments::DrillCommand;
pub(crate) use super::reshare_arguments::{Reshare, RotateArguments};
use super::share::arguments::Share;
pub(crate) use super::surrogate_arguments::Surrogate;
pub(crate) use super::token_arguments::{
    TokenCheckArguments, TokenCommand, TokenListArguments, Typed,
};
use super::token_arguments::{key_uri, token_uri};
pub(crate) use super::transcript_arguments::{
    DiscloseArguments, Pinned, ReportArguments, SignArguments, Source, Transcript, VerifyArguments,
};
use crate::later::Later;
use crate::rehearse::Rehearse;

/// One step of a ceremony.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
A ceremony is one folder everybody can write to, and one private folder for each person. Steps:

  new        coordinator     makes the shared folder with its plan
  join       every member    makes keys, puts a card into the folder
  define     coordinator     puts the cards together into a definition
  consent    every member    compares the fingerprint by voice, signs the definition
  genesis    coordinator     has a genesis enclave make the key and its shares
  receipt    every member    verifies the genesis, checks their share, signs for it
  exception  every member    finishes without a holder who never gives a receipt
  share      every member    proves the share that is kept, writes it down, restores it
  manifest   coordinator     says which image and applications may run
  approve    members         verify the manifest and sign it
  boot       coordinator     gives an empty enclave binaries, record and chain
  provision  members         verify the enclave and give it their share
  carry      coordinator     brings files to and from the enclave for members without a network
  evidence   anyone          fetches what a stranger needs to verify all of it
  transcript anyone          verifies and shows what everybody did; members sign it
  report     anyone          makes one page of it
  rehearse   anyone          plays all of it on this machine, with faults on request

Every step leaves a signed record of what its member did and saw in the shared folder. A coordinator
who is a member names their private folder with --private, and what they did is signed with their
next step.

An upgrade without shares, where the manifest that runs allows it:

  manifest, approve, boot    as above, with a new enclave
  forward-approve  holders   approve that the key goes to the new manifest's enclave
  forward    operator        carries the key to it, and ends the old one

Other people, with the same key:

  rotate     coordinator     writes a manifest with other approvers, new shares or new keys
  reshare    everybody       a running enclave makes new shares, for other people

Somebody else for one member, for one manifest:

  surrogate  member          names who may approve and give the share until a day, or gives them the share

Every few months, so that a lost share is noticed before it is needed:

  drill      everybody       members give drill shares to a rehearsal enclave, and prove the real ones

Keys are in a file under a passphrase, or in a PKCS#11 token under a PIN: `token list` shows the
tokens of this machine, `join --token` takes one, and every later step asks for its PIN by itself.

The coordinator is trusted with nothing; anybody can be it. Inside the shared folder or your private one
no command needs --folder, --private or --socket; `next` says whose turn it is and what to run.

Examples:
  quorate ceremony next
  quorate ceremony preflight")]
pub(crate) enum Ceremony {
    /// Begin a ceremony: make its shared folder and plan (coordinator)
    New(Later<NewArguments>),
    /// Say whose turn it is and what to run
    Next(Later<NextArguments>),
    /// Check everything you will need, before the day
    Preflight(Later<PreflightArguments>),
    /// Make your keys and put your card into the folder
    Join(Later<JoinArguments>),
    /// Put the members' cards together into a definition (coordinator)
    Define(Later<DefineArguments>),
    /// Check the definition, pin it and sign it
    Consent(Later<ConsentArguments>),
    /// Have a genesis enclave make the quorum key (coordinator)
    Genesis(Later<GenesisArguments>),
    /// Verify the genesis and your share, pin it and sign for it
    Receipt(Later<ReceiptArguments>),
    /// Finish the genesis without a holder who can never give a receipt
    Exception(Later<ExceptionArguments>),
    /// Check your share, write it down, or bring it back from paper
    #[command(subcommand, arg_required_else_help = true)]
    Share(Later<Share>),
    /// Write the next manifest: what may run (coordinator)
    Manifest(Later<ManifestArguments>),
    /// Verify a manifest and approve it
    Approve(Later<ApproveArguments>),
    /// Give an empty enclave its binaries and boot it (coordinator)
    Boot(Later<BootArguments>),
    /// Verify an enclave with your own nonce, and do nothing else
    Attest(Later<AttestArguments>),
    /// Verify an enclave and give it your share
    Provision(Later<ProvisionArguments>),
    /// Bring members without a network what they wait for (coordinator)
    Carry(Later<CarryArguments>),
    /// Approve that a running enclave forwards the key to the next manifest's
    ForwardApprove(Later<ForwardApproveArguments>),
    /// Forward the key from a running enclave to one that waits for it, and end the first (operator)
    Forward(Later<ForwardArguments>),
    /// Share the key anew in a running enclave: other holders, another threshold
    #[command(subcommand, arg_required_else_help = true)]
    Reshare(Later<Reshare>),
    /// Let somebody act for a member, for one manifest and some days
    #[command(subcommand, arg_required_else_help = true)]
    Surrogate(Later<Surrogate>),
    /// Rehearse giving the shares, and prove that they are still held
    #[command(subcommand, arg_required_else_help = true)]
    Drill(Later<DrillCommand>),
    /// Write the next manifest with other people: approvers, or holders of new shares (coordinator)
    Rotate(Later<RotateArguments>),
    /// Fetch the evidence of an enclave
    Evidence(Later<EvidenceArguments>),
    /// Verify, show, disclose or sign the transcript
    #[command(subcommand)]
    Transcript(Later<Transcript>),
    /// Make the report of the ceremony: one page for print, and JSON
    Report(Later<ReportArguments>),
    /// Hold a ceremony for practice, on this machine, with faults on request
    Rehearse(Later<Rehearse>),
    /// Show how far the ceremony is
    Status(Later<StatusArguments>),
    /// Watch who has done what, drawn anew as it happens
    Board(Later<StatusArguments>),
    /// Show what the applications of an enclave reported
    Log(Later<LogArguments>),
    /// Look at PKCS#11 tokens; no PIN is asked for
    #[command(subcommand)]
    Token(Later<TokenCommand>),
}

/// The folder everybody shares.
#[derive(Debug, Args)]
pub(crate) struct Shared {
    /// The ceremony's shared folder; anyone may write there, nothing in it is believed unchecked
    /// [default: the workspace this is run in]
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
}

/// The folder of one person, and what unlocks their keys.
#[derive(Debug, Args)]
pub(crate) struct Keyed {
    /// Your private folder: keys and pins, yours alone (mode 0700) [default: that of the workspace;
    /// QUORATE_PRIVATE]
    #[arg(long, value_name = "DIR")]
    pub(crate) private: Option<PathBuf>,

    /// Where your passphrase is, `-` for standard input [default: asked for on the terminal]
    #[arg(long, value_name = "FILE|-", conflicts_with_all = ["module", "pin_file"])]
    pub(crate) passphrase_file: Option<PathBuf>,

    /// For keys in a token: the PKCS#11 library of its driver [default: the one used last]
    #[arg(long, value_name = "FILE")]
    pub(crate) module: Option<PathBuf>,

    /// For keys in a token: where its PIN is, `-` for standard input [default: asked for on the
    /// terminal, or typed on the token]
    #[arg(long, value_name = "FILE|-")]
    pub(crate) pin_file: Option<PathBuf>,
}

/// The enclave that is spoken to.
#[derive(Debug, Args)]
pub(crate) struct Socket {
    /// The enclave's operator socket; on a Nitro parent instance vsock:CID:5000 [default: as the
    /// shared folder says]
    #[arg(long, value_name = "PATH|vsock:CID:PORT")]
    pub(crate) socket: Option<Address>,
}

/// Whoever does something that needs no key.
#[derive(Debug, Args)]
pub(crate) struct Noting {
    /// Your private folder, if you are a member: what you did is noted there, and signed with your
    /// next step
    #[arg(long, value_name = "DIR")]
    pub(crate) private: Option<PathBuf>,
}

/// Make keys.
#[derive(Debug, Args)]
#[command(after_help = "\
Draws a signing and an encryption key, locks them with your passphrase (Argon2id, 64 MiB, 3 passes)
into key.cbor in the private folder, and puts your card with the public keys into the shared folder.
Keep a copy of key.cbor: without key file and passphrase your share is lost, but for a paper that
`quorate ceremony share backup` makes.

With --token both keys are in a PKCS#11 token (smart card, YubiKey, HSM, SoftHSM) instead. It makes
them itself, on P-256, so that they can never be read out: one signs, one derives (ECDH). Some
tokens make keys only with their own tool; name those keys. The private folder then holds no secret,
but pins the token's serial number and the public keys: back it up, too. What a token does not do:
your share is in this computer's memory for the moment in which it is checked or given. A token that
is lost or broken takes your share with it, but for that paper.

A URI is as in RFC 7512; `quorate ceremony token list` prints those of your tokens.

Who joins after the genesis, to take a seat in a later manifest, gives its digest: it is pinned.

Who has a seat and has lost their keys makes others in a new private folder, with --new-keys. The card
of the old ones stays, and the new ones count nowhere before the others have approved a manifest that
`quorate ceremony rotate --new-keys NAME=FINGERPRINT` wrote. Read the fingerprint to them, by voice.
Then `quorate ceremony share restore` brings your share back from paper.

Examples:
  quorate ceremony join --folder ceremony --private ~/quorum --name alice
  quorate ceremony join --folder ceremony --private ~/quorum --name erin --genesis DIGEST
  quorate ceremony join --folder ceremony --private ~/new --name dave --new-keys --genesis DIGEST
  quorate ceremony join --folder ceremony --private ~/quorum --name alice \\
      --token 'pkcs11:token=alice' --module /usr/lib/softhsm/libsofthsm2.so
  quorate ceremony join --folder ceremony --private ~/quorum --name alice \\
      --token 'pkcs11:serial=12345678' --module /usr/lib/x86_64-linux-gnu/libykcs11.so \\
      --signing-key 'pkcs11:id=%02' --encryption-key 'pkcs11:id=%03'")]
pub(crate) struct JoinArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) acting: Acting,
    #[command(flatten)]
    pub(crate) keyed: Keyed,

    /// What you are called: a-z 0-9 - . _
    #[arg(long, value_parser = name)]
    pub(crate) name: Name,

    /// The genesis digest of a namespace that has its key already, as another member read it to you
    #[arg(long, value_name = "HEX", value_parser = genesis)]
    pub(crate) genesis: Option<Digest<Genesis>>,

    /// Make keys in the place of those you have lost, with a card of their own
    #[arg(long)]
    pub(crate) new_keys: bool,

    /// The token your keys are in, or will be
    #[arg(long, value_name = "URI", value_parser = token_uri, conflicts_with = "passphrase_file")]
    pub(crate) token: Option<Typed<TokenUri>>,

    /// A key that is in the token already, to sign with [default: the token makes one]
    #[arg(long, value_name = "URI", value_parser = key_uri, requires_all = ["token", "encryption_key"])]
    pub(crate) signing_key: Option<Typed<KeyUri>>,

    /// A key that is in the token already, for ECDH [default: the token makes one]
    #[arg(long, value_name = "URI", value_parser = key_uri, requires_all = ["token", "signing_key"])]
    pub(crate) encryption_key: Option<Typed<KeyUri>>,
}

/// What a definition needs, where no plan has it.
const PLANNED: [&str; 5] = [
    "namespace",
    "manifest_threshold",
    "share_threshold",
    "partition",
    "measurements",
];

/// Make a definition.
#[derive(Debug, Args)]
#[command(after_help = "\
Every member must consent before a key is made; then nothing of it can change but by approved
manifests, and the attestation root never. A development root is for rehearsals: shares made under
it are never accepted under another, nor the other way round.

In a ceremony that was begun with `quorate ceremony new` it needs no values: they are in the plan.

Examples:
  quorate ceremony define
  quorate ceremony define --folder ceremony --namespace treasury --members alice,bob,carol \\
      --manifest-threshold 2 --share-threshold 2 --partition aws --measurements measurements.json
  quorate ceremony define --folder rehearsal --namespace rehearsal --members alice,bob,carol \\
      --manifest-threshold 2 --share-threshold 2 --partition development \\
      --root development-root.pem --measurements measurements.json")]
pub(crate) struct DefineArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) acting: Acting,
    #[command(flatten)]
    pub(crate) noting: Noting,

    /// What people call the namespace; its identity is the genesis digest, never this name
    #[arg(long, value_parser = name, requires = "members")]
    pub(crate) namespace: Option<Name>,

    /// Who holds shares, in the order of their indices
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', value_parser = name, requires_all = PLANNED)]
    pub(crate) members: Option<Vec<Name>>,

    /// Who approves manifests [default: the members]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', value_parser = name, requires = "members")]
    pub(crate) manifest_members: Option<Vec<Name>>,

    /// How many must approve a manifest, at least 2
    #[arg(long, value_name = "N", requires = "members")]
    pub(crate) manifest_threshold: Option<u8>,

    /// How many shares open the key, at least 2
    #[arg(long, value_name = "N", requires = "members")]
    pub(crate) share_threshold: Option<u8>,

    /// Seconds for which an attestation is good to members: 60, or up to 1800 where files are carried
    /// [default: 60]
    #[arg(long, value_name = "SECONDS", requires = "members", value_parser = age_limit)]
    pub(crate) age_limit: Option<AgeLimit>,

    /// The attestation root, PEM or DER; built in for `aws`
    #[arg(long, value_name = "FILE", requires = "members")]
    pub(crate) root: Option<PathBuf>,

    /// Whose security modules that root speaks for
    #[arg(long, value_enum, requires = "members")]
    pub(crate) partition: Option<PartitionName>,

    /// What the genesis enclave must measure as: JSON with PCR0, PCR1, PCR2, PCR8?, role_arn?
    #[arg(long, value_name = "FILE", requires = "members")]
    pub(crate) measurements: Option<PathBuf>,
}

/// A partition as it is typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum PartitionName {
    /// AWS's commercial regions
    Aws,
    /// AWS GovCloud (US)
    AwsUsGov,
    /// AWS's regions in China
    AwsCn,
    /// An emulator: proves nothing about hardware
    Development,
}

impl From<PartitionName> for Partition {
    fn from(name: PartitionName) -> Self {
        match name {
            PartitionName::Aws => Self::Aws,
            PartitionName::AwsUsGov => Self::AwsUsGov,
            PartitionName::AwsCn => Self::AwsCn,
            PartitionName::Development => Self::Development,
        }
    }
}

/// Consent to a definition.
#[derive(Debug, Args)]
#[command(after_help = "\
Before you type your passphrase, read the fingerprint aloud to the other members and hear theirs.
From then on your tool refuses any other definition in this private folder.

Example:
  quorate ceremony consent --folder ceremony --private ~/quorum")]
pub(crate) struct ConsentArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) acting: Acting,
    #[command(flatten)]
    pub(crate) keyed: Keyed,

    /// Stay for the genesis, up to an hour, and go on with your receipt in the same command
    #[arg(long)]
    pub(crate) stay: bool,

    /// The fingerprint you agreed on; any other definition is refused
    #[arg(long, value_name = "HEX", value_parser = fingerprint)]
    pub(crate) fingerprint: Option<Digest<Definition>>,
}

/// Hold the genesis.
#[derive(Debug, Args)]
#[command(after_help = "\
The enclave must have been started from the image the definition names and be in no other use. It
makes the key, seals a share to each member, attests, and can do nothing else afterwards. Leave it
running until every member has done `receipt`.

Example:
  quorate ceremony genesis --folder ceremony --socket genesis/operator.sock")]
pub(crate) struct GenesisArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) acting: Acting,
    #[command(flatten)]
    pub(crate) noting: Noting,
    #[command(flatten)]
    pub(crate) socket: Socket,
}

/// Receive a share.
#[derive(Debug, Args)]
#[command(after_help = "\
Asks the genesis enclave for an attestation with a nonce of your own and verifies it under the
definition you consented to; opens your share and checks it against the published commitments; pins
the genesis digest, which is what you trust from now on. With --carried a nonce goes out and the
attestation comes back as a file, brought by the coordinator's `quorate ceremony carry`.

Examples:
  quorate ceremony receipt --carried
  quorate ceremony receipt --folder ceremony --private ~/quorum --socket genesis/operator.sock")]
pub(crate) struct ReceiptArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) acting: Acting,
    #[command(flatten)]
    pub(crate) keyed: Keyed,
    #[command(flatten)]
    pub(crate) socket: Socket,
    #[command(flatten)]
    pub(crate) by_files: ByFiles,
}

/// Write a manifest.
#[derive(Debug, Args)]
#[command(after_help = "\
Puts the genesis record together when every receipt is there, then writes the next manifest. Its
people and its key are those of the manifest before.

An application is NAME=PATH, then any of ,port=N (5100 or higher, repeatable) ,memory=BYTES
(268435456) ,calls=NAME+NAME (the applications it may call) ,shares=NAME+NAME (those that can open
what it seals for them) ,egress=HOST:PORT+HOST:PORT (where it may connect to; a change of that
needs the share holders' approvals too) ,restarts=N (3) ,back-off=MS (10, doubled each time) ,back-off-max=MS
(10000) ,start-deadline=MS (10000) ,arg=TEXT ,env=NAME=VALUE (repeatable). `quorate app check`
tells whether a binary would run.

With --forward DAYS an enclave of this manifest may give the key to one of the same or the next
manifest until then, as often as share holders approve it. Who holds shares must approve a change of
that besides. Without it the policy is that of the manifest before; before the first, never.

Examples:
  quorate ceremony manifest --folder ceremony --measurements measurements.json \\
      --application echo=target/quorate-echo,port=5100
  quorate ceremony manifest --folder ceremony --measurements measurements.json \\
      --application echo=target/quorate-echo,port=5100 --forward 90")]
pub(crate) struct ManifestArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) acting: Acting,
    #[command(flatten)]
    pub(crate) noting: Noting,

    /// What the image must measure as: JSON with PCR0, PCR1, PCR2, PCR8?, role_arn?
    #[arg(long, value_name = "FILE")]
    pub(crate) measurements: PathBuf,

    /// An application, repeatable
    #[arg(long, value_name = "NAME=PATH[,…]", required = true, value_parser = ApplicationSpec::parse)]
    pub(crate) application: Vec<ApplicationSpec>,

    /// For how many days from now it may boot
    #[arg(long, value_name = "DAYS", default_value_t = 365)]
    pub(crate) valid_days: u32,

    /// For how many days from now the key may be forwarded, or `none` [default: as before]
    #[arg(long, value_name = "DAYS|none", value_parser = forward_days)]
    pub(crate) forward: Option<ForwardDays>,

    /// Let the key go without forward approvals to a manifest that changes only applications
    #[arg(long, requires = "forward")]
    pub(crate) forward_applications: bool,
}

/// `DAYS` or `none`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ForwardDays {
    /// Never.
    None,
    /// So many days from now.
    Days(u32),
}

impl ManifestArguments {
    /// What becomes of the forward policy.
    pub(crate) fn forward_plan(&self) -> ForwardPlan {
        match self.forward {
            None => ForwardPlan::Keep,
            Some(ForwardDays::None) => ForwardPlan::Never,
            Some(ForwardDays::Days(days)) => ForwardPlan::For {
                days,
                approvals: match self.forward_applications {
                    true => ApprovalRule::ExceptApplications,
                    false => ApprovalRule::Always,
                },
            },
        }
    }
}

/// Approve a manifest.
#[derive(Debug, Args)]
#[command(after_help = "\
Verifies the record against your pinned genesis, the chain link by link and that this manifest
follows it, then signs in each set in which you count. What you cannot see from here is whether the
hashes are of the source you mean: build it, or ask who did.

Example:
  quorate ceremony approve --folder ceremony --private ~/quorum")]
pub(crate) struct ApproveArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) acting: Acting,
    #[command(flatten)]
    pub(crate) keyed: Keyed,

    /// Which manifest [default: the newest]
    #[arg(long, value_name = "SEQUENCE")]
    pub(crate) manifest: Option<u64>,
}

/// Boot an instance.
#[derive(Debug, Args)]
#[command(after_help = "\
Compares each binary with the manifest, uploads it (up to 512 MiB; an interrupted upload goes on
where it ended, at once and in the next run) and boots the newest approved manifest. The enclave then waits for shares.

Example:
  quorate ceremony boot --folder ceremony --socket one/operator.sock \\
      --application echo=target/quorate-echo")]
pub(crate) struct BootArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) acting: Acting,
    #[command(flatten)]
    pub(crate) noting: Noting,
    #[command(flatten)]
    pub(crate) socket: Socket,

    /// The binary of an application of the manifest, repeatable
    #[arg(long, value_name = "NAME=PATH", required = true, value_parser = Binary::parse)]
    pub(crate) application: Vec<Binary>,

    /// Which manifest [default: the newest that is approved]
    #[arg(long, value_name = "SEQUENCE")]
    pub(crate) manifest: Option<u64>,
}

/// Verify an instance.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  quorate ceremony attest --folder ceremony --private ~/quorum --socket one/operator.sock --stage live")]
pub(crate) struct AttestArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) socket: Socket,

    /// Your private folder, for its pins; no key is used [default: that of the workspace]
    #[arg(long, value_name = "DIR")]
    pub(crate) private: Option<PathBuf>,

    /// Which keys the enclave attests
    #[arg(long, value_enum, default_value_t = StageName::Setup)]
    pub(crate) stage: StageName,
}

/// A stage as it is typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum StageName {
    /// The keys that shares are sealed to, while it waits for shares
    Setup,
    /// The keys it answers with
    Live,
}

impl From<StageName> for InstanceStage {
    fn from(name: StageName) -> Self {
        match name {
            StageName::Setup => Self::Setup,
            StageName::Live => Self::Live,
        }
    }
}

/// Give a share.
#[derive(Debug, Args)]
#[command(after_help = "\
Verifies the enclave with a nonce of your own against your pinned genesis and the approved chain;
only then seals your share to the keys it attested. With the last share that is needed the enclave
rebuilds the key and starts its applications.

A machine without a network gives its share by files. Each run with --carried goes as far as they do: a
nonce, which the coordinator answers with `quorate ceremony carry`; your decision, which makes the grant;
the enclave's receipt. An attestation is good for as long as the definition says, from the making of the
nonce.

Examples:
  quorate ceremony provision --carried
  quorate ceremony provision --folder ceremony --private ~/quorum --socket one/operator.sock")]
pub(crate) struct ProvisionArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) acting: Acting,
    #[command(flatten)]
    pub(crate) keyed: Keyed,
    #[command(flatten)]
    pub(crate) socket: Socket,
    #[command(flatten)]
    pub(crate) by_files: ByFiles,
}

/// Approve a forward.
#[derive(Debug, Args)]
#[command(after_help = "\
Verifies the record against your pinned genesis and the chain to the new manifest, which must be
approved, then signs that an enclave of the manifest before may give the key to an enclave of this
one. It is not an approval of the manifest and gives no share. The running enclave verifies the new
one and takes nobody's word for it.

Example:
  quorate ceremony forward-approve --folder ceremony --private ~/quorum")]
pub(crate) struct ForwardApproveArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) acting: Acting,
    #[command(flatten)]
    pub(crate) keyed: Keyed,

    /// The manifest that receives the key [default: the newest that is approved]
    #[arg(long, value_name = "SEQUENCE")]
    pub(crate) manifest: Option<u64>,
}

/// Forward the key.
#[derive(Debug, Args)]
#[command(after_help = "\
Carries a challenge, an attestation, the sealed key and a confirmation between the two enclaves. The
running one verifies the new one before it seals the key to it; when the new one has confirmed, the
old one ends its applications and erases its keys. Then the new one's evidence is verified. After a
failure, repeat the command: it goes on where it ended.

An enclave of the same manifest (a replacement) needs no approvals; that of the next manifest needs
those of `forward-approve`, unless the policy lets changes of applications pass.

Example:
  quorate ceremony forward --folder ceremony --from one/operator.sock --to two/operator.sock")]
pub(crate) struct ForwardArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) acting: Acting,

    /// The operator socket of the enclave that runs
    #[arg(long, value_name = "PATH")]
    pub(crate) from: PathBuf,

    /// The operator socket of the enclave that was booted and waits
    #[arg(long, value_name = "PATH")]
    pub(crate) to: PathBuf,

    #[command(flatten)]
    pub(crate) noting: Noting,
}

/// Fetch evidence.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  quorate ceremony evidence --folder ceremony --socket one/operator.sock --out evidence.cbor
  quorate verify evidence evidence.cbor")]
pub(crate) struct EvidenceArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) noting: Noting,
    #[command(flatten)]
    pub(crate) socket: Socket,

    /// Where to write it; a different file that is there is not replaced
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// Show the state.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  quorate ceremony status --folder ceremony --socket one/operator.sock")]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    pub(crate) shared: Shared,

    /// An enclave to ask as well; what it says is a claim
    #[arg(long, value_name = "PATH|vsock:CID:PORT")]
    pub(crate) socket: Option<Address>,
}

/// Show the reports.
#[derive(Debug, Args)]
#[command(after_help = "\
A report is numbers: whether it is a note, a warning or a failure, a code and a value whose meaning
the application's documentation gives. The newest 64 of each application are kept. They are the
enclave's word, not attested.

Example:
  quorate ceremony log --socket one/operator.sock")]
pub(crate) struct LogArguments {
    #[command(flatten)]
    pub(crate) socket: Socket,
}

pub(super) fn name(text: &str) -> Result<Name, quorate_protocol::invalid::Invalid> {
    Name::new(text)
}

fn forward_days(text: &str) -> Result<ForwardDays, &'static str> {
    if text == "none" {
        return Ok(ForwardDays::None);
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let days = text.parse().ok().filter(|days| digits && *days > 0);
    days.map(ForwardDays::Days)
        .ok_or("give a number of days from 1, or `none`")
}

fn genesis(text: &str) -> Result<Digest<Genesis>, &'static str> {
    Digest::from_hex(text).ok_or("a genesis digest is 64 hexadecimal digits")
}

fn fingerprint(text: &str) -> Result<Digest<Definition>, &'static str> {
    Digest::from_hex(text).ok_or("a fingerprint is 64 hexadecimal digits")
}
