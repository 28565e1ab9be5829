//! Our images beside those of AWS's builder, signer and reader: the same bytes from the same parts,
//! and each reads what the other wrote.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use aws_nitro_enclaves_image_format::defs::{EifBuildInfo, EifIdentityInfo};
use aws_nitro_enclaves_image_format::utils::eif_reader::EifReader;
use aws_nitro_enclaves_image_format::utils::{EifBuilder, EifSigner, SignKeyData};
use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509Name};
use proptest::prelude::*;
use quorate_eif::signature::SignatureSection;
use quorate_eif::{Architecture, Eif, EifError, Measurements, Parts, PcrValue, Scan};
use quorate_image_signing::certificate::Certificate;
use quorate_image_signing::key::FileKey;
use quorate_image_signing::{Signer, check, sign};
use sha2::{Digest as _, Sha384};
use tempfile::TempDir;

/// What an image is made of, and a folder for the files AWS's builder wants.
struct Case {
    folder: TempDir,
    architecture: Architecture,
    kernel: Vec<u8>,
    command_line: String,
    ramdisks: Vec<Vec<u8>>,
    name: String,
}

impl Case {
    fn new(kernel: &[u8], command_line: &str, ramdisks: &[&[u8]]) -> Self {
        Self {
            folder: TempDir::new().expect("a folder"),
            architecture: Architecture::X86_64,
            kernel: kernel.to_vec(),
            command_line: command_line.to_owned(),
            ramdisks: ramdisks.iter().map(|ramdisk| ramdisk.to_vec()).collect(),
            name: "quorate \"image\" ✓".to_owned(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).expect("a file");
        path
    }

    fn identity(&self) -> EifIdentityInfo {
        EifIdentityInfo {
            img_name: self.name.clone(),
            img_version: "1.0".into(),
            build_info: EifBuildInfo {
                build_time: "2026-07-11T10:16:37Z".into(),
                build_tool: "quorate".into(),
                build_tool_version: "0.1.0".into(),
                img_os: "Quorate".into(),
                img_kernel: "6.12".into(),
            },
            docker_info: serde_json::Value::Null,
            custom_info: serde_json::json!({"b": 1, "a": [true, null]}),
        }
    }

    /// The image AWS's builder makes, and the measurements it reports.
    fn aws(&self, signer: Option<SignKeyData>) -> (Vec<u8>, Measurements) {
        let kernel = self.file("kernel", &self.kernel);
        let flags = match self.architecture {
            Architecture::X86_64 => 0,
            Architecture::Aarch64 => 1,
        };
        let line = self.command_line.clone();
        let mut builder =
            EifBuilder::new(&kernel, line, signer, Sha384::new(), flags, self.identity());
        for (index, ramdisk) in self.ramdisks.iter().enumerate() {
            builder.add_ramdisk(&self.file(&format!("ramdisk{index}"), ramdisk));
        }
        let path = self.path("aws.eif");
        let mut file = File::create(&path).expect("a file");
        let reported = builder.write_to(&mut file);
        let register = |name: &str| {
            reported
                .get(name)
                .map(|text| PcrValue::from_hex(text).expect("a register"))
        };
        let measurements = Measurements {
            pcr0: register("PCR0").expect("PCR0"),
            pcr1: register("PCR1").expect("PCR1"),
            pcr2: register("PCR2").expect("PCR2"),
            pcr8: register("PCR8"),
        };
        (fs::read(path).expect("the image"), measurements)
    }

    /// The image our writer makes.
    fn ours(&self) -> Vec<u8> {
        let ramdisks: Vec<_> = self.ramdisks.iter().map(Vec::as_slice).collect();
        let metadata = serde_json::to_vec(&self.identity()).expect("JSON");
        let parts = Parts {
            architecture: self.architecture,
            kernel: &self.kernel,
            command_line: &self.command_line,
            ramdisks: &ramdisks,
            metadata: &metadata,
        };
        Eif::assemble(&parts).expect("an image").to_bytes()
    }
}

/// What AWS's reader says of a file.
fn read_by_aws(path: &Path) -> EifReader {
    EifReader::from_eif(path.to_str().expect("a path").to_owned()).expect("readable")
}

fn agree(case: &Case) {
    let (aws, reported) = case.aws(None);
    let ours = case.ours();
    assert!(ours == aws, "the same bytes");
    let image = Eif::parse(&aws).expect("an image");
    assert_eq!(image.measure(), reported);
    let scan = Scan::read(&aws[..], |_, _| ()).expect("an image");
    assert_eq!(scan.measurements, reported);
    let mut reader = read_by_aws(&case.file("ours.eif", &ours));
    assert!(reader.check_crc());
    let measured = reader.get_measurements().expect("measurements");
    assert_eq!(measured["PCR0"], reported.pcr0.to_string());
    assert_eq!(measured["PCR1"], reported.pcr1.to_string());
    assert_eq!(measured["PCR2"], reported.pcr2.to_string());
}

#[test]
fn images_are_the_same_in_every_byte() {
    let kernel: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let mut case = Case::new(&kernel, "reboot=k panic=30 nomodules", &[&[7; 100_000]]);
    agree(&case);
    case.architecture = Architecture::Aarch64;
    case.command_line = String::new();
    case.ramdisks = vec![b"one".to_vec(), vec![1; 300_000], b"three".to_vec()];
    agree(&case);
    // As many ramdisks as the table holds.
    case.ramdisks = (0..29_u8).map(|n| vec![n; 10]).collect();
    agree(&case);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn images_of_any_parts_are_the_same(
        arm in any::<bool>(),
        kernel in proptest::collection::vec(any::<u8>(), 1..5000),
        command_line in "[^\\x00]{0,200}",
        ramdisks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..3000), 1..6),
        name in ".{0,40}",
    ) {
        let mut case = Case::new(&kernel, &command_line, &[]);
        case.architecture = if arm { Architecture::Aarch64 } else { Architecture::X86_64 };
        (case.ramdisks, case.name) = (ramdisks, name);
        agree(&case);
    }
}

/// A key and a self-signed certificate, valid for ten days.
fn identity(curve: Nid, expired: bool) -> (Vec<u8>, Vec<u8>) {
    let group = EcGroup::from_curve_name(curve).expect("a curve");
    let key = EcKey::generate(&group).expect("a key");
    let key: PKey<Private> = PKey::from_ec_key(key).expect("a key");
    let mut name = X509Name::builder().expect("a name");
    name.append_entry_by_text("CN", "oracle").expect("a name");
    let name = name.build();
    let mut builder = X509::builder().expect("a certificate");
    let mut serial = BigNum::new().expect("a number");
    serial.rand(127, MsbOption::ONE, false).expect("a number");
    builder.set_version(2).expect("v3");
    let serial = serial.to_asn1_integer().expect("a number");
    builder.set_serial_number(&serial).expect("a number");
    builder.set_subject_name(&name).expect("a name");
    builder.set_issuer_name(&name).expect("a name");
    let (from, until) = if expired {
        (946_684_800, 946_771_200)
    } else {
        (0, i64::MAX)
    };
    let from = match from {
        0 => Asn1Time::days_from_now(0),
        unix => Asn1Time::from_unix(unix),
    };
    let until = match until {
        i64::MAX => Asn1Time::days_from_now(10),
        unix => Asn1Time::from_unix(unix),
    };
    builder
        .set_not_before(&from.expect("a time"))
        .expect("a time");
    builder
        .set_not_after(&until.expect("a time"))
        .expect("a time");
    builder.set_pubkey(&key).expect("a key");
    builder.sign(&key, MessageDigest::sha384()).expect("signed");
    let certificate = builder.build().to_pem().expect("PEM");
    (key.private_key_to_pem_pkcs8().expect("PEM"), certificate)
}

fn now() -> u64 {
    let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    elapsed.expect("after 1970").as_secs() + 1
}

const CURVES: [Nid; 3] = [Nid::X9_62_PRIME256V1, Nid::SECP384R1, Nid::SECP521R1];

#[test]
fn an_image_aws_signed_is_read_measured_and_checked() {
    for curve in CURVES {
        let case = Case::new(b"kernel", "quiet", &[b"system", b"application"]);
        let (key, certificate) = identity(curve, false);
        let key_path = case.file("key.pem", &key);
        let certificate_path = case.file("certificate.pem", &certificate);
        let data = SignKeyData::new(key_path.to_str().expect("a path"), &certificate_path);
        let (aws, reported) = case.aws(Some(data.expect("a key")));
        assert!(reported.pcr8.is_some());
        let image = Eif::parse(&aws).expect("an image");
        assert_eq!(image.measure(), reported);
        assert_eq!(image.to_bytes(), aws);
        let section = image.signature().expect("signed");
        assert_eq!(section.certificate_pem(), certificate);
        check(section, &reported.pcr0, now()).expect("a good signature");
        // AWS's signature attached by us to our image gives AWS's signed image.
        let ours = case.ours();
        let section = section.to_bytes();
        let ours = Eif::parse(&ours).expect("an image");
        let ours = ours.with_signature(&section).expect("room").to_bytes();
        assert!(ours == aws, "the same bytes");
    }
}

#[test]
fn an_image_we_signed_is_accepted_by_aws() {
    for curve in CURVES {
        let case = Case::new(b"kernel", "quiet", &[b"system", b"application"]);
        let (key, pem) = identity(curve, false);
        let bytes = case.ours();
        let image = Eif::parse(&bytes).expect("an image");
        let certificate = Certificate::from_pem(&pem).expect("a certificate");
        let signer = Signer::File(FileKey::from_pem(&key).expect("a key"));
        let section = sign(image.measure().pcr0, &certificate, &signer, now()).expect("signed");
        let section = section.to_bytes();
        let signed = image.with_signature(&section).expect("room");
        let mut reader = read_by_aws(&case.file("signed.eif", &signed.to_bytes()));
        assert!(reader.check_crc());
        let measured = reader.get_measurements().expect("measurements");
        assert_eq!(measured["PCR8"], certificate.pcr8().to_string());
        reader
            .get_certificate_info(measured)
            .expect("a certificate");
        assert_eq!(reader.sign_check, Some(true));
        // Our unsigned image, signed in place by AWS's signer.
        let (path, _) = sign_in_place(&case, &bytes, &key, &pem);
        let theirs = fs::read(path).expect("the image");
        let theirs = Eif::parse(&theirs).expect("an image");
        let section = theirs.signature().expect("signed");
        check(section, &theirs.measure().pcr0, now()).expect("a good signature");
    }
}

/// AWS's signer, on a file with these bytes; the file, and the length of the signature section by
/// its own header.
fn sign_in_place(case: &Case, image: &[u8], key: &[u8], certificate: &[u8]) -> (PathBuf, u64) {
    let path = case.file("in-place.eif", image);
    let key = case.file("key.pem", key);
    let certificate = case.file("certificate.pem", certificate);
    let data = SignKeyData::new(key.to_str().expect("a path"), &certificate);
    let signer = EifSigner::new(data.ok()).expect("a signer");
    signer
        .sign_image(path.to_str().expect("a path"))
        .expect("signed");
    let section = read_by_aws(&path).signature_section.expect("signed");
    (path, section.len() as u64)
}

/// AWS's signer replaces a signature without correcting its size in the header's table (0.8.1), and
/// sizes vary: bytes are written as numbers. Such a file contradicts itself and is refused.
#[test]
fn an_image_aws_signed_twice_is_read_only_where_its_table_is_right_fails_closed() {
    let case = Case::new(b"kernel", "quiet", &[b"system"]);
    let (key, pem) = identity(Nid::SECP384R1, false);
    let (path, first) = sign_in_place(&case, &case.ours(), &key, &pem);
    let (mut right, mut wrong) = (0, 0);
    for _ in 0..40 {
        let once = fs::read(&path).expect("the image");
        let (path, second) = sign_in_place(&case, &once, &key, &pem);
        let twice = fs::read(&path).expect("the image");
        match Eif::parse(&twice) {
            Ok(_) => right += usize::from(second == first),
            Err(EifError::Truncated { .. } | EifError::Trailing { .. }) => {
                wrong += usize::from(second != first);
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(right + wrong, 40);
}

#[test]
fn a_changed_signature_is_refused_by_both() {
    let case = Case::new(b"kernel", "quiet", &[b"system"]);
    let (key, pem) = identity(Nid::SECP384R1, false);
    let bytes = case.ours();
    let image = Eif::parse(&bytes).expect("an image");
    let certificate = Certificate::from_pem(&pem).expect("a certificate");
    let signer = Signer::File(FileKey::from_pem(&key).expect("a key"));
    let pcr0 = image.measure().pcr0;
    let good = sign(pcr0, &certificate, &signer, now()).expect("signed");
    let mut forged = good.signature().to_vec();
    forged[50] ^= 1;
    let forged = SignatureSection::new(&pem, good.algorithm(), pcr0, &forged).expect("a form");
    let section = forged.to_bytes();
    let signed = image.with_signature(&section).expect("room").to_bytes();
    let mut reader = read_by_aws(&case.file("forged.eif", &signed));
    let measured = reader.get_measurements().expect("measurements");
    assert!(reader.get_certificate_info(measured).is_err() || reader.sign_check == Some(false));
    assert!(check(&forged, &pcr0, now()).is_err());
}

/// A signature by a certificate of the year 2000: AWS's signer makes it, a check refuses it.
#[test]
fn an_expired_signer_is_refused() {
    let case = Case::new(b"kernel", "quiet", &[b"system"]);
    let (key, certificate) = identity(Nid::SECP384R1, true);
    let key_path = case.file("key.pem", &key);
    let certificate_path = case.file("certificate.pem", &certificate);
    let data = SignKeyData::new(key_path.to_str().expect("a path"), &certificate_path);
    let (aws, reported) = case.aws(Some(data.expect("a key")));
    let image = Eif::parse(&aws).expect("an image");
    let section = image.signature().expect("signed");
    assert!(check(section, &reported.pcr0, now()).is_err());
    assert!(check(section, &reported.pcr0, 946_700_000).is_ok());
}
