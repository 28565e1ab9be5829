//! The rules of a manifest's applications: names, ports, texts, limits, restarts, and whom they name.

use quorate_protocol::control::{Entropy, EntropyLength, FromInit, MAX_ENTROPY, ToInit};
use quorate_protocol::invalid::{Invalid, Naming};
use quorate_protocol::manifest::{Application, MAX_BINARY, MAX_DELAY_MS, ManifestFields};
use quorate_protocol::stored::SealedSecret;
use quorate_vectors::tree::Item;
use zeroize::Zeroizing;

use super::{Checked, broken, manifest, name, refused, replaced, text};

fn application(change: impl FnOnce(&mut Application), rule: &Invalid) {
    // The last, so that the order of names is not what is broken.
    let change = |fields: &mut ManifestFields| {
        change(fields.applications.last_mut().expect("an application"));
    };
    broken(manifest(), change, rule);
}

#[test]
fn reserved_application_names_fails_closed() {
    let change = |fields: &mut ManifestFields| {
        let last = fields.applications.pop().expect("an application");
        fields.applications = vec![Application {
            name: name("init"),
            ..last
        }];
    };
    broken(manifest(), change, &Invalid::ApplicationNameReserved);
}

#[test]
fn no_application_and_too_many_fails_closed() {
    let rule = |found| Invalid::ListLength {
        min: 1,
        max: 16,
        found,
    };
    broken(manifest(), |fields| fields.applications.clear(), &rule(0));
    let many = |fields: &mut ManifestFields| {
        let one = fields.applications[0].clone();
        let named = |number| Application {
            name: name(&format!("app{number:02}")),
            ports: Vec::new(),
            ..one.clone()
        };
        fields.applications = (0..17).map(named).collect();
    };
    broken(manifest(), many, &rule(17));
}

#[test]
fn applications_out_of_order_or_repeated_fails_closed() {
    let rule = Invalid::ApplicationsNotAscending;
    broken(manifest(), |fields| fields.applications.reverse(), &rule);
    let same = |fields: &mut ManifestFields| {
        fields.applications[1].name = fields.applications[0].name.clone();
    };
    broken(manifest(), same, &rule);
}

#[test]
fn ports_of_init_or_of_anybody_fails_closed() {
    for found in [0, 5000, 5001, 5099, u32::MAX] {
        application(|app| app.ports = vec![found], &Invalid::Port { found });
    }
}

#[test]
fn ports_out_of_order_or_repeated_fails_closed() {
    let rule = Invalid::ApplicationsNotAscending;
    application(|app| app.ports = vec![5102, 5101], &rule);
    application(|app| app.ports = vec![5101, 5101], &rule);
    // One port, two applications.
    application(|app| app.ports = vec![5100], &Invalid::Port { found: 5100 });
}

#[test]
fn environment_that_is_not_name_and_value_fails_closed() {
    for entry in ["", "PATH", "=value", "="] {
        application(
            |app| app.environment = vec![text(entry)],
            &Invalid::Environment,
        );
    }
}

#[test]
fn environment_out_of_order_or_repeated_fails_closed() {
    let rule = Invalid::ApplicationsNotAscending;
    for entries in [["B=1", "A=1"], ["A=1", "A=2"], ["A=2", "A=1"]] {
        application(|app| app.environment = entries.map(text).to_vec(), &rule);
    }
    // By name, not by the whole text: `=` sorts after digits.
    let fields = |entries: [&str; 2]| {
        let mut fields = manifest().into_inner();
        let app = fields.applications.last_mut().expect("an application");
        app.environment = entries.map(text).to_vec();
        Checked::new(fields)
    };
    assert!(fields(["A=1", "A0=1"]).is_ok());
    assert_eq!(fields(["A0=1", "A=1"]).err(), Some(rule));
}

#[test]
fn longer_lists_of_an_application_fails_closed() {
    let rule = Invalid::ListLength {
        min: 0,
        max: 64,
        found: 65,
    };
    application(|app| app.arguments = vec![text("a"); 65], &rule);
    application(|app| app.ports = (6000..6065).collect(), &rule);
    let variables = (0..65).map(|n| text(&format!("A{n:02}=1"))).collect();
    application(|app| app.environment = variables, &rule);
}

#[test]
fn binaries_of_no_size_or_too_large_fails_closed() {
    for found in [0, MAX_BINARY + 1] {
        let rule = Invalid::Length {
            min: 1,
            max: MAX_BINARY as usize,
            found: found as usize,
        };
        application(|app| app.size = found, &rule);
    }
}

#[test]
fn memory_limits_of_zero_or_too_large_fails_closed() {
    for found in [0, (1 << 46) + 1, u64::MAX] {
        application(
            |app| app.memory_limit = found,
            &Invalid::MemoryLimit { found },
        );
    }
}

#[test]
fn back_offs_of_zero_too_long_or_reversed_fails_closed() {
    for (first, largest) in [
        (0, 10),
        (0, 0),
        (11, 10),
        (1, MAX_DELAY_MS + 1),
        (u32::MAX, u32::MAX),
    ] {
        let change = |app: &mut Application| {
            app.restart.first_back_off_ms = first;
            app.restart.largest_back_off_ms = largest;
        };
        application(change, &Invalid::BackOff { first, largest });
    }
}

#[test]
fn start_deadlines_of_zero_or_too_long_fails_closed() {
    for found in [0, MAX_DELAY_MS + 1, u32::MAX] {
        application(
            |app| app.restart.start_deadline_ms = found,
            &Invalid::StartDeadline { found },
        );
    }
}

type NamesFn = fn(&mut Application) -> &mut Vec<quorate_protocol::atoms::Name>;

/// Each of the lists in which an application names others.
const LISTS: [(Naming, NamesFn); 2] = [
    (Naming::Calls, |app| &mut app.calls),
    (Naming::Shares, |app| &mut app.shares),
];

/// Five applications that name nobody, from the sample's last.
fn five(change: impl Fn(&mut [Application])) -> impl FnOnce(&mut ManifestFields) {
    move |fields| {
        let last = fields.applications.last().expect("an application").clone();
        let named = |letter: &str| Application {
            name: name(letter),
            ports: Vec::new(),
            calls: Vec::new(),
            shares: Vec::new(),
            egress: Vec::new(),
            ..last.clone()
        };
        fields.applications = ["a", "b", "c", "d", "e"].map(named).to_vec();
        change(&mut fields.applications);
    }
}

#[test]
fn naming_itself_fails_closed() {
    for (kind, list) in LISTS {
        let change = five(|apps| list(&mut apps[1]).push(name("b")));
        broken(manifest(), change, &Invalid::NamesItself { kind });
    }
}

#[test]
fn naming_nobody_fails_closed() {
    for (kind, list) in LISTS {
        let change = five(|apps| list(&mut apps[1]).extend([name("a"), name("f")]));
        let rule = Invalid::NamesNobody {
            kind,
            name: name("f"),
        };
        broken(manifest(), change, &rule);
    }
}

#[test]
fn names_of_others_out_of_order_or_repeated_fails_closed() {
    for (kind, list) in LISTS {
        for wrong in [["b", "a"], ["a", "a"]] {
            let change = five(|apps| list(&mut apps[4]).extend(wrong.map(name)));
            broken(manifest(), change, &Invalid::NamesNotAscending { kind });
        }
    }
}

#[test]
fn calls_in_a_circle_fails_closed() {
    for circle in [&[0, 1][..], &[0, 3, 1], &[4, 0, 2, 1, 3]] {
        let change = five(|apps| {
            let names: Vec<_> = apps.iter().map(|app| app.name.clone()).collect();
            for (at, from) in circle.iter().enumerate() {
                let to = circle[(at + 1) % circle.len()];
                apps[*from].calls.push(names[to].clone());
            }
        });
        broken(manifest(), change, &Invalid::CallCycle);
    }
}

#[test]
fn sharing_in_a_circle_is_accepted_and_calls_give_an_order() {
    let mut fields = manifest().into_inner();
    five(|apps| {
        apps[0].shares.push(name("b"));
        apps[1].shares.push(name("a"));
        apps[0].calls.extend([name("c"), name("e")]);
        apps[2].calls.push(name("d"));
    })(&mut fields);
    let fields = Checked::new(fields).expect("no circle of calls");
    assert_eq!(fields.start_order(), [1, 3, 2, 4, 0]);
    let pair = |owner, reader| (name(owner), name(reader));
    let keys = fields.sealing_keys(&name("a"));
    assert_eq!(keys, [pair("a", "a"), pair("a", "b"), pair("b", "a")]);
    assert_eq!(fields.sealing_keys(&name("c")), [pair("c", "c")]);
}

#[test]
fn entropy_of_no_byte_or_too_much_fails_closed() {
    for found in [0, MAX_ENTROPY + 1] {
        let rule = Invalid::Length {
            min: 1,
            max: MAX_ENTROPY,
            found,
        };
        assert_eq!(EntropyLength::new(found as u16), Err(rule.clone()));
        let item = Item::Array(vec![Item::Unsigned(3), Item::Unsigned(found as u64)]);
        refused::<ToInit>(&item.write(), &rule);
        assert_eq!(
            Entropy::new(Zeroizing::new(vec![0; found])).err(),
            Some(rule.clone())
        );
        let item = Item::Array(vec![Item::Unsigned(3), Item::Bytes(vec![0; found])]);
        refused::<FromInit>(&item.write(), &rule);
    }
}

#[test]
fn sealed_secrets_of_another_suite_or_length_fails_closed() {
    for found in [0, 2, 65_535] {
        let item = Item::Unsigned(found.into());
        replaced::<SealedSecret>("sealed-secret", &[1], item, &Invalid::Suite { found });
    }
    for found in [15, 1041] {
        let rule = Invalid::Length {
            min: 16,
            max: 1040,
            found,
        };
        let item = Item::Bytes(vec![0; found]);
        replaced::<SealedSecret>("sealed-secret", &[5], item, &rule);
    }
}
