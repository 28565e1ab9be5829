use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use quorate_verify::attestation::Partition;

use super::*;
use crate::fixture::{Nitro, measurements, name};
use crate::plan::{CeremonyPlan, MeasurementsSource};
use quorate_protocol::atoms::Sha256;

/// A machine with a home, and ceremonies on it.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().canonicalize().unwrap().join(name)
    }

    fn ceremony(&self, folder: &str, id: u8) -> Workspace {
        let workspace = Workspace::create(&self.path(folder)).unwrap();
        let root = Nitro::new().anchor();
        let plan = CeremonyPlan {
            id: CeremonyId([id; 16]),
            namespace: name("test"),
            members: vec![name("alice"), name("bob")],
            manifest_members: None,
            share_threshold: 2,
            age_limit: quorate_protocol::definition::AgeLimit::SHORTEST,
            manifest_threshold: 2,
            partition: Partition::Development,
            root: Sha256(*root.fingerprint()),
            measurements: MeasurementsSource::Here(Box::new(measurements(1))),
        };
        workspace.publish_plan(&plan, &root).unwrap();
        workspace
    }

    fn join(&self, private: &str, workspace: &Workspace) -> PathBuf {
        let path = self.path(private);
        let private = PrivateFolder::create(&path).unwrap();
        private.bind(workspace).unwrap();
        path
    }

    fn at(&self, current: &str) -> Surroundings {
        Surroundings {
            current: Some(self.path(current)),
            private: None,
            data: Some(self.path("data")),
        }
    }
}

fn default_of(machine: &Machine, id: u8) -> PathBuf {
    machine.path("data").join(CeremonyId([id; 16]).to_string())
}

#[test]
fn inside_a_workspace_no_folder_is_named() {
    let machine = Machine::new();
    let workspace = machine.ceremony("shared", 1);
    fs::create_dir_all(machine.path("shared/members/deep")).unwrap();
    let found = Place::find(None, None, &machine.at("shared/members/deep")).unwrap();
    assert_eq!(found.folder, machine.path("shared"));
    assert_eq!(found.private(), Err(PlaceError::NoPrivate));
    // The one place under the data folder, once somebody has joined.
    assert_eq!(found.private_to_make(), Ok(&*default_of(&machine, 1)));
    let id = CeremonyId([1; 16]);
    machine.join(&format!("data/{id}"), &workspace);
    let found = Place::find(None, None, &machine.at("shared")).unwrap();
    assert_eq!(found.private(), Ok(&*default_of(&machine, 1)));
}

#[test]
fn inside_a_private_folder_the_shared_one_is_known() {
    let machine = Machine::new();
    let workspace = machine.ceremony("shared", 1);
    let private = machine.join("alice", &workspace);
    let found = Place::find(None, None, &machine.at("alice")).unwrap();
    assert_eq!(
        (found.folder.clone(), found.private()),
        (machine.path("shared"), Ok(&*private))
    );
    // From anywhere, by the environment.
    let mut around = machine.at("");
    around.private = Some(private);
    assert_eq!(
        Place::find(None, None, &around).unwrap(),
        Place {
            fresh: Some(default_of(&machine, 1)),
            ..found
        }
    );
    // What is named comes first.
    let other = machine.join("bob", &workspace);
    let named = Place::find(None, Some(&other), &around).unwrap();
    assert_eq!(named.private(), Ok(&*other));
}

#[test]
fn nowhere_fails_closed() {
    let machine = Machine::new();
    fs::create_dir(machine.path("elsewhere")).unwrap();
    let refused = Place::find(None, None, &machine.at("elsewhere"));
    assert_eq!(refused, Err(PlaceError::NoWorkspace.into()));
    let refused = Place::find(None, None, &Surroundings::default());
    assert_eq!(refused, Err(PlaceError::NoWorkspace.into()));
}

#[test]
fn a_private_folder_in_another_workspace_fails_closed() {
    let machine = Machine::new();
    let first = machine.ceremony("first", 1);
    machine.ceremony("second", 2);
    let private = machine.join("alice", &first);
    let mut around = machine.at("second");
    around.private = Some(private.clone());
    let ids = (CeremonyId([1; 16]), CeremonyId([2; 16]));
    let other = PlaceError::OtherCeremony {
        private: private.clone(),
        bound: ids.0,
        folder: machine.path("second"),
        found: ids.1,
    };
    assert_eq!(Place::find(None, None, &around), Err(other.clone().into()));
    // Nor where both are named, nor by joining.
    let second = machine.path("second");
    let named = Place::find(Some(&second), Some(&private), &around);
    assert_eq!(named, Err(other.clone().into()));
    let folder = PrivateFolder::open(&private).unwrap();
    let joined = folder.bind(&Workspace::open(&second).unwrap());
    assert_eq!(joined, Err(other.into()));
    drop(folder);
    around.current = Some(machine.path("first"));
    assert!(Place::find(None, None, &around).is_ok());
}

/// The very same plan at another place: a copy of the folder, which may be old.
#[test]
fn a_copy_of_the_workspace_fails_closed_until_it_is_named() {
    let machine = Machine::new();
    let workspace = machine.ceremony("shared", 1);
    let private = machine.join("alice", &workspace);
    Workspace::create(&machine.path("copy")).unwrap();
    for file in ["ceremony.toml", "root.der"] {
        let from = machine.path("shared").join(file);
        fs::copy(from, machine.path("copy").join(file)).unwrap();
    }
    let mut around = machine.at("copy");
    around.private = Some(private.clone());
    let copy = machine.path("copy");
    let other = PlaceError::OtherFolder {
        private: private.clone(),
        bound: machine.path("shared"),
        folder: copy.clone(),
    };
    assert_eq!(Place::find(None, None, &around), Err(other.clone().into()));
    assert_eq!(Place::find(Some(&copy), None, &around), Err(other.into()));
    assert!(Place::find(Some(&copy), Some(&private), &around).is_ok());
    // Joining again binds it anew.
    let folder = PrivateFolder::open(&private).unwrap();
    folder.bind(&Workspace::open(&copy).unwrap()).unwrap();
    drop(folder);
    assert_eq!(Place::find(None, None, &around).unwrap().folder, copy);
}

/// Somebody replaced the plan after the member has joined.
#[test]
fn a_plan_with_another_id_fails_closed() {
    let machine = Machine::new();
    let workspace = machine.ceremony("shared", 1);
    let private = machine.join("alice", &workspace);
    let path = machine.path("shared/ceremony.toml");
    let plan = fs::read_to_string(&path).unwrap();
    let (old, new) = (CeremonyId([1; 16]), CeremonyId([3; 16]));
    fs::write(&path, plan.replace(&old.to_string(), &new.to_string())).unwrap();
    let refused = Place::find(None, None, &machine.at("alice"));
    assert_eq!(
        refused,
        Err(PlaceError::OtherCeremony {
            private,
            bound: old,
            folder: machine.path("shared"),
            found: new,
        }
        .into())
    );
    // One that is gone says nothing; the pins do.
    fs::remove_file(&path).unwrap();
    assert!(Place::find(None, None, &machine.at("alice")).is_ok());
}

#[test]
fn a_private_folder_that_is_open_to_others_is_not_found_by_itself() {
    let machine = Machine::new();
    let workspace = machine.ceremony("shared", 1);
    let private = machine.join("alice", &workspace);
    fs::set_permissions(&private, fs::Permissions::from_mode(0o755)).unwrap();
    let refused = Place::find(None, None, &machine.at("alice"));
    assert_eq!(refused, Err(PlaceError::NoWorkspace.into()));
}

#[test]
fn the_address_of_an_enclave_is_a_hint_that_is_replaced() {
    let machine = Machine::new();
    let workspace = machine.ceremony("shared", 1);
    let place = Place::find(None, None, &machine.at("shared")).unwrap();
    let role = EnclaveRole::Genesis;
    let refused = place.enclave(None, role);
    assert_eq!(refused, Err(PlaceError::NoEnclave.into()));
    for text in ["vsock:16:5000", "/run/enclave/operator.sock"] {
        let address: Address = text.parse().unwrap();
        workspace.publish_enclave(role, &address).unwrap();
        assert_eq!(place.enclave(None, role), Ok(address));
    }
    let named: Address = "vsock:17:5000".parse().unwrap();
    assert_eq!(place.enclave(Some(&named), role), Ok(named));
    // By hand, beside the folder.
    fs::write(machine.path("shared/enclaves/genesis"), "one/operator.sock").unwrap();
    let beside = Address::Unix(machine.path("shared/one/operator.sock"));
    assert_eq!(place.enclave(None, role), Ok(beside));
}

#[test]
fn addresses_that_are_none_fails_closed() {
    let machine = Machine::new();
    let workspace = machine.ceremony("shared", 1);
    fs::create_dir(machine.path("shared/enclaves")).unwrap();
    let path = machine.path("shared/enclaves/instance");
    for text in ["", "vsock:1", "a\x1b[2Jb", "two\nlines", "\u{85}"] {
        fs::write(&path, text).unwrap();
        let refused = workspace.find_enclave(EnclaveRole::Instance);
        let path = path.clone();
        let error = crate::error::StepError::AddressMalformed { path };
        assert_eq!(refused, Err(error.into()), "{text:?}");
    }
    fs::write(&path, vec![b'a'; 513]).unwrap();
    let refused = workspace.find_enclave(EnclaveRole::Instance);
    assert!(matches!(
        refused,
        Err(CeremonyError::Storage(StorageError::TooLong { .. }))
    ));
}

#[test]
fn a_binding_is_read_as_it_was_written() {
    for id in [None, Some(CeremonyId([5; 16]))] {
        let binding = Binding {
            folder: "/a/b".into(),
            id,
        };
        let bytes = binding.to_bytes().unwrap();
        assert_eq!(Binding::from_bytes(&bytes), Some(binding));
        assert_eq!(Binding::from_bytes(&bytes[1..]), None);
    }
    let relative = Binding {
        folder: "a/b".into(),
        id: None,
    };
    assert_eq!(Binding::from_bytes(&relative.to_bytes().unwrap()), None);
}
