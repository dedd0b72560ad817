//! Addresses, codes and what is kept of them, by example and by count.

use super::*;
use crate::crypto::random_bytes;

const DRAWS: u32 = 1_000_000;

fn normal(text: &str) -> Option<String> {
    Mailbox::parse(text).ok().map(|mailbox| mailbox.expose().to_owned())
}

#[test]
fn an_address_is_brought_into_one_form() {
    for (text, expected) in [
        ("ada@shop.example", "ada@shop.example"),
        ("  Ada.L+x@SHOP.Example\n", "Ada.L+x@shop.example"),
        ("ada@b\u{fc}cher.example", "ada@xn--bcher-kva.example"),
        ("ada@B\u{dc}CHER.example", "ada@xn--bcher-kva.example"),
    ] {
        assert_eq!(normal(text).as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn what_mail_cannot_go_to_is_no_address() {
    let long = format!("{}@{}.example", "a".repeat(64), "b.".repeat(100));
    for text in [
        "",
        "ada",
        "@shop.example",
        "ada@",
        "ada@@shop.example",
        "ada@shop.example, ben@shop.example",
        "Ada <ada@shop.example>",
        "ada@shop.example\r\nBcc: ben@shop.example",
        "ada\0@shop.example",
        "ada b@shop.example",
        "\u{e4}da@shop.example",
        "ada@[127.0.0.1]",
        "ada@127.0.0.1",
        "ada@shop..example",
        &long,
    ] {
        assert_eq!(normal(text), None, "{text:?}");
    }
}

#[test]
fn limits_take_upper_and_lower_case_for_one_and_mail_does_not() {
    let keys = EmailKeys::derive(b"master");
    let [one, other] =
        ["ada@shop.example", "ADA@shop.example"].map(|it| Mailbox::parse(it).unwrap());
    assert_eq!(keys.budget(&one), keys.budget(&other));
    assert_ne!(keys.mailbox(&one), keys.mailbox(&other));
}

#[test]
fn b3_codes_are_eight_digits_and_each_is_as_likely_as_any_other() {
    // 64 classes of one value of 26 bits: χ² with 63 degrees of freedom. Beyond 130 lies one run
    // of a fair draw in a million.
    let mut classes = [0u32; 64];
    let mut positions = [[0u32; 10]; 8];
    let (mut least, mut most) = (u32::MAX, 0);
    for _ in 0..DRAWS {
        let code = EmailCode::draw(random_bytes::<4>);
        let digits = code.expose();
        assert_eq!(digits.len(), 8);
        for (place, digit) in digits.bytes().enumerate() {
            positions[place][usize::from(digit - b'0')] += 1;
        }
        let number: u32 = digits.parse().unwrap();
        classes[(number / (CODES / 64)) as usize] += 1;
        (least, most) = (least.min(number), most.max(number));
    }
    let square = |counts: &[u32]| -> f64 {
        let expected = f64::from(DRAWS) / counts.len() as f64;
        counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum()
    };
    assert!(square(&classes) < 130.0, "{classes:?}");
    for counts in positions {
        // 9 degrees of freedom: beyond 45 lies less than one run in a million.
        assert!(square(&counts) < 45.0, "{counts:?}");
    }
    assert!(least < 1_000 && most > CODES - 1_000, "{least} to {most}");
}

#[test]
fn b3_numbers_that_would_favour_some_codes_are_drawn_again() {
    let mut numbers = [u32::MAX, EVEN, EVEN - 1].into_iter();
    let code = EmailCode::draw(|| numbers.next().unwrap().to_be_bytes());
    assert_eq!((code.expose(), numbers.next()), ("99999999", None));
    assert_eq!(EVEN % CODES, 0);
    assert_eq!(EmailCode::draw(|| [0, 0, 0, 7]).expose(), "00000007");
}

#[test]
fn b4_a_code_is_good_for_ten_minutes_and_five_tries() {
    let drawn = Timestamp::from_secs(1_790_000_000);
    let second = Duration::from_secs(1);
    assert!(is_live(drawn, 0, drawn));
    assert!(is_live(drawn, 4, drawn.plus(CODE_TTL).minus(second)));
    assert!(!is_live(drawn, 0, drawn.plus(CODE_TTL)));
    assert!(!is_live(drawn, 0, drawn.plus(CODE_TTL).plus(second)));
    assert!(!is_live(drawn, MAX_ATTEMPTS, drawn));
    assert!(!is_live(drawn, 0, drawn.minus(Duration::from_secs(60))), "the clock was set back");
}

#[test]
fn what_is_kept_of_a_code_is_bound_to_secret_request_and_mailbox() {
    let (keys, others) = (EmailKeys::derive(b"master"), EmailKeys::derive(b"another"));
    let [one, other] =
        ["ada@shop.example", "ben@shop.example"].map(|it| Mailbox::parse(it).unwrap());
    let (request, code) = (CodeRequestId::from_bytes([1; 16]), EmailCode::presented("0123 4567"));
    let kept = keys.code(request, keys.mailbox(&one), &code);
    assert!(is_same_code(&kept, &keys.code(request, keys.mailbox(&one), &code)));
    for wrong in [
        keys.code(CodeRequestId::from_bytes([2; 16]), keys.mailbox(&one), &code),
        keys.code(request, keys.mailbox(&other), &code),
        keys.code(request, keys.mailbox(&one), &EmailCode::presented("01234568")),
        keys.code(request, keys.mailbox(&one), &EmailCode::presented("0123456")),
        others.code(request, keys.mailbox(&one), &code),
    ] {
        assert!(!is_same_code(&kept, &wrong));
    }
    assert_ne!(keys.mailbox(&one), others.mailbox(&one));
    assert_ne!(keys.client(&[1; 16]), keys.client(&[2; 16]));
}

#[test]
fn nothing_prints_a_code_or_an_address() {
    let (mailbox, code) = (Mailbox::parse("ada@shop.example").unwrap(), EmailCode::presented("1"));
    assert_eq!(format!("{mailbox:?} {code:?}"), "*** ***");
}

#[test]
fn a_request_is_named_by_32_hexadecimal_digits() {
    let id = CodeRequestId::from_bytes([0xab; 16]);
    assert_eq!(CodeRequestId::parse(&id.to_string()), Some(id));
    for bad in ["", "ab", &"zz".repeat(16), &"ab".repeat(17)] {
        assert_eq!(CodeRequestId::parse(bad), None, "{bad}");
    }
}
