use proptest::prelude::*;

use super::*;

const A: &str = "aa";

fn digits(pair: &str) -> String {
    pair.repeat(48)
}

#[test]
fn measurements_of_every_maker_are_read() {
    let (a, b) = (digits(A), digits("Bb"));
    let expected = MeasurementFields {
        pcr0: Pcr([0xaa; 48]),
        pcr1: Pcr([0xaa; 48]),
        pcr2: Pcr([0xbb; 48]),
        role_arn: None,
        pcr8: None,
    };
    for json in [
        format!(r#"{{"PCR0":"{a}","PCR1":"{a}","PCR2":"{b}"}}"#),
        format!(r#"{{"pcr0":"{a}","pcr1":"{a}","pcr2":"{b}","pcr8":null}}"#),
        format!(r#"{{"measured":{{"pcr0":"{a}","pcr1":"{a}","pcr2":"{b}"}}}}"#),
        format!(
            r#"{{"Measurements":{{"HashAlgorithm":"Sha384 {{ ... }}","PCR0":"{a}","PCR1":"{a}","PCR2":"{b}"}}}}"#
        ),
    ] {
        let read = measurements(json.as_bytes()).unwrap();
        assert_eq!(*read, expected, "{json}");
    }
    let json = format!(
        r#"{{"PCR0":"{a}","PCR1":"{a}","PCR2":"{b}","PCR8":"{a}","role_arn":"arn:aws:iam::1:role/x"}}"#
    );
    let read = measurements(json.as_bytes()).unwrap();
    assert_eq!(read.pcr8, Some(Pcr([0xaa; 48])));
    assert_eq!(
        read.role_arn.as_ref().unwrap().as_str(),
        "arn:aws:iam::1:role/x"
    );
}

/// What is not understood might be meant to be checked.
#[test]
fn unclear_measurements_fails_closed() {
    let (a, zero) = (digits(A), digits("00"));
    for json in [
        String::new(),
        "[]".into(),
        "{}".into(),
        format!(r#"{{"PCR0":"{a}","PCR1":"{a}"}}"#),
        format!(r#"{{"PCR0":"{a}","PCR1":"{a}","PCR2":"{a}","PCR3":"{a}"}}"#),
        format!(r#"{{"PCR0":"{a}","pcr0":"{zero}","PCR1":"{a}","PCR2":"{a}"}}"#),
        format!(r#"{{"PCR0":"{a}","PCR1":"{a}","PCR2":"{a}0"}}"#),
        format!(r#"{{"PCR0":"{a}","PCR1":"{a}","PCR2":"+{}"}}"#, &a[1..]),
        format!(r#"{{"PCR0":"{a}","PCR1":"{a}","PCR2":7}}"#),
        format!(r#"{{"PCR0":"{a}","PCR1":"{a}","PCR2":"{zero}"}}"#),
        format!(r#"{{"PCR0":"{a}","PCR1":"{a}","PCR2":"{a}","role_arn":""}}"#),
        format!(r#"{{"PCR0":"{a}","PCR1":"{a}","PCR2":"{a}","HashAlgorithm":"Sha256"}}"#),
        format!(r#"{{"Measurements":{{"PCR0":"{a}","PCR1":"{a}","PCR2":"{a}","x":1}}}}"#),
    ] {
        assert!(measurements(json.as_bytes()).is_err(), "{json}");
    }
}

#[test]
fn applications_are_read() {
    let text = "echo=/bin/echo,port=5101,port=5100,memory=65536,restarts=0,arg=-v,arg=x=y,\
                env=B=2,env=A=1";
    let entry = ApplicationSpec::parse(text)
        .unwrap()
        .entry(6, Sha256::of(b"binary"));
    assert_eq!(entry.name.as_str(), "echo");
    assert_eq!((entry.sha256, entry.size), (Sha256::of(b"binary"), 6));
    assert_eq!(entry.ports, [5100, 5101]);
    assert_eq!((entry.memory_limit, entry.restart.restarts), (65536, 0));
    let texts = |list: &[Text<4096>]| -> Vec<String> {
        list.iter().map(|text| text.as_str().to_owned()).collect()
    };
    assert_eq!(texts(&entry.arguments), ["-v", "x=y"]);
    assert_eq!(texts(&entry.environment), ["A=1", "B=2"]);

    let plain = ApplicationSpec::parse("echo=a=b").unwrap();
    assert_eq!(plain.binary.path, PathBuf::from("a=b"));
    let entry = plain.entry(1, Sha256::of(b"x"));
    assert_eq!(
        (entry.memory_limit, entry.restart.restarts),
        (DEFAULT_MEMORY, DEFAULT_RESTARTS)
    );
}

#[test]
fn edges_and_back_off_are_read() {
    let entry = |text: &str| {
        ApplicationSpec::parse(text)
            .unwrap()
            .entry(1, Sha256::of(b"x"))
    };
    let policy = entry(
        "policy=p,calls=signing+key-generation,shares=signing,restarts=7,back-off=20,\
         back-off-max=300,start-deadline=4000",
    );
    let names =
        |list: &[Name]| -> Vec<String> { list.iter().map(|name| name.as_str().into()).collect() };
    // In the order a manifest has them, whatever the order they were typed in.
    assert_eq!(names(&policy.calls), ["key-generation", "signing"]);
    assert_eq!(names(&policy.shares), ["signing"]);
    let restart = &policy.restart;
    assert_eq!(
        (
            restart.restarts,
            restart.first_back_off_ms,
            restart.largest_back_off_ms
        ),
        (7, 20, 300)
    );
    assert_eq!(restart.start_deadline_ms, 4000);

    let plain = entry("a=p").restart;
    assert_eq!(plain.first_back_off_ms, DEFAULT_BACK_OFF_MS);
    assert_eq!(plain.largest_back_off_ms, DEFAULT_LARGEST_BACK_OFF_MS);
    assert_eq!(plain.start_deadline_ms, DEFAULT_START_DEADLINE_MS);
    // One of the two alone moves the other, as far as it must.
    let long = entry("a=p,back-off=60000").restart;
    assert_eq!(
        (long.first_back_off_ms, long.largest_back_off_ms),
        (60_000, 60_000)
    );
    let short = entry("a=p,back-off-max=5").restart;
    assert_eq!((short.first_back_off_ms, short.largest_back_off_ms), (5, 5));
}

#[test]
fn an_application_named_twice_among_the_called_fails_closed() {
    let signing = Name::new("signing").unwrap();
    for list in ["calls=signing+signing", "shares=signing+echo+signing"] {
        assert_eq!(
            ApplicationSpec::parse(&format!("a=p,{list}")).err(),
            Some(InputError::NameRepeated {
                name: signing.clone()
            }),
            "{list}"
        );
    }
}

#[test]
fn destinations_are_read_in_the_order_of_a_manifest() {
    let spec = ApplicationSpec::parse("a=p,egress=b.example:443+a.example:8443+a.example:443");
    let entry = spec.unwrap().entry(1, Sha256::of(b"x"));
    let texts: Vec<String> = entry.egress.iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["a.example:443", "a.example:8443", "b.example:443"]);
}

#[test]
fn a_destination_given_twice_fails_closed() {
    let destination = Destination::parse("a.example:443").unwrap();
    let spec = ApplicationSpec::parse("a=p,egress=a.example:443+b.example:1+a.example:443");
    assert_eq!(
        spec.err(),
        Some(InputError::DestinationRepeated { destination })
    );
}

#[test]
fn destinations_that_are_none_fails_closed() {
    for (list, rule) in [
        ("", Invalid::Destination),
        ("a.example", Invalid::Destination),
        ("a.example:443+", Invalid::Destination),
        ("a.example:0", Invalid::Destination),
        ("a.example:65536", Invalid::Destination),
        ("192.0.2.1:443", Invalid::Host),
        ("*.example:443", Invalid::Host),
        ("[::1]:443", Invalid::Host),
        ("A.example:443", Invalid::Host),
    ] {
        let spec = ApplicationSpec::parse(&format!("a=p,egress={list}"));
        assert_eq!(spec.err(), Some(InputError::Invalid(rule)), "{list}");
    }
    assert_eq!(
        ApplicationSpec::parse("a=p,egress=a.example:1,egress=b.example:1").err(),
        Some(InputError::Application)
    );
}

#[test]
fn unclear_applications_fails_closed() {
    for text in [
        "echo=path,calls=",
        "echo=path,calls=a+",
        "echo=path,calls=a b",
        "echo=path,calls=a,calls=b",
        "echo=path,shares=",
        "echo=path,shares=A",
        "echo=path,back-off=1s",
        "echo=path,back-off=4294967296",
        "echo=path,back-off-max=",
        "echo=path,start-deadline=-1",
        "",
        "echo",
        "=path",
        "echo=",
        "Echo=path",
        "../x=path",
        "echo=path,port",
        "echo=path,",
        "echo=path,port=",
        "echo=path,port=-1",
        "echo=path,port=+5100",
        "echo=path,port=0x10",
        "echo=path,memory=1,memory=2",
        "echo=path,restarts=65536",
        "echo=path,ports=5100",
        "echo=path,env=\n",
    ] {
        assert!(ApplicationSpec::parse(text).is_err(), "{text}");
    }
    assert!(Binary::parse("echo").is_err());
}

proptest! {
    #[test]
    fn reading_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), text in ".*") {
        let _ = measurements(&bytes);
        let _ = measurements(text.as_bytes());
        let _ = ApplicationSpec::parse(&text);
        let _ = Binary::parse(&text);
    }
}
