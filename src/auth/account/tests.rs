//! Names, passwords and roles by example.

use super::*;

fn name(text: &str) -> AccountName {
    AccountName::parse(text).unwrap()
}

#[test]
fn a_role_may_do_what_the_table_in_the_console_says() {
    let words = |role: Role| role.scopes().iter().map(Scope::as_str).collect::<Vec<_>>();
    assert_eq!(words(Role::Admin), ["admin"]);
    assert_eq!(
        words(Role::Operator),
        ["patches:write", "metrics:read", "utxo:write", "settings:write"]
    );
    assert_eq!(words(Role::Cashier), ["pos"]);
    assert_eq!(words(Role::Auditor), [""; 0]);
    let readers: Vec<Role> = Role::ALL.into_iter().filter(|role| role.reads_all()).collect();
    assert_eq!(readers, [Role::Admin, Role::Operator, Role::Auditor]);
    for role in Role::ALL {
        assert_eq!(role.as_str().parse(), Ok(role));
    }
    assert_eq!("Admin".parse::<Role>(), Err(RoleParseError));
}

#[test]
fn a_name_is_printable_and_known_in_any_case() {
    for good in ["ada", "Ada Lovelace", "käthe@shop.example", "店長の名前", &"a".repeat(64)] {
        assert_eq!(name(good).as_str(), good);
    }
    for (bad, why) in [
        ("", NameError::Length),
        ("ab", NameError::Length),
        (&*"a".repeat(65), NameError::Length),
        ("ada\n", NameError::NotPrintable),
        (" ada", NameError::NotPrintable),
        ("ada\u{a0}b", NameError::NotPrintable),
        ("ada\u{202e}b", NameError::NotPrintable),
        ("ka\u{308}the", NameError::NotNormalized),
    ] {
        assert_eq!(AccountName::parse(bad), Err(why), "{bad:?}");
    }
    assert_eq!(name("KÄTHE").folded(), name("käthe").folded());
    // Letters of another width look the same and would be another person.
    assert_eq!(name("\u{ff41}\u{ff44}\u{ff41}").folded(), name("ada").folded());
    assert_ne!(name("ada").folded(), name("adam").folded());
}

#[test]
fn a_password_is_long_and_not_what_is_tried_first() {
    let check = |text: &str| Password::typed(text).check(&name("Ada Lovelace"));
    for good in ["twelve chars", "korrekt 馬 battery", &"ab".repeat(128), "Ada Lovelace 1815"] {
        assert_eq!(check(good), Ok(()), "{good}");
    }
    for (bad, why) in [
        ("eleven char", PasswordError::Length),
        (&*"ab".repeat(129), PasswordError::Length),
        ("ADA lovelace", PasswordError::Guessable),
        ("aaaaaaaaaaaa", PasswordError::Guessable),
        ("Password1234", PasswordError::Common),
        ("correct horse battery staple", PasswordError::Common),
    ] {
        assert_eq!(check(bad), Err(why), "{bad}");
    }
    for word in COMMONEST {
        assert_eq!(check(word), Err(PasswordError::Common), "{word} would not be refused anyway");
    }
}

#[test]
fn a_password_is_recognised_in_either_spelling_and_never_printed() {
    let typed = Password::typed("ka\u{308}the's password");
    let hash = PasswordHash::make(&typed, [7; 16], PASSWORD_COST).unwrap();
    assert!(hash.is_of(&Password::typed("käthe's password")));
    assert!(!hash.is_of(&Password::typed("Käthe's password")));
    assert!(!PasswordHash::nobodys([7; 16], [0; 32]).is_of(&typed));
    assert_eq!(format!("{typed:?}"), "***");
    let other = PasswordHash::make(&typed, [8; 16], PASSWORD_COST).unwrap();
    assert_ne!(hash, other, "the salt is part of it");
}

#[test]
fn an_account_is_named_in_one_way() {
    let id = AccountId::from_bytes([0xab; 8]);
    assert_eq!(id.principal(), "account:abababababababab");
    assert_eq!("abababababababab".parse(), Ok(id));
    for bad in ["ABABABABABABABAB", "abab", ""] {
        assert_eq!(bad.parse::<AccountId>(), Err(AccountIdParseError), "{bad}");
    }
}
