//! Programs that must not compile, and their twins that do: what `tests/variance.rs` says is invariant.

/// A table of types. For each that is invariant, a program that must not compile and its twin, run under the
/// name of the type.
macro_rules! variance {
    ($($name:ident $(:: $sub:ident)? <$($arg:tt),+> => $variance:ident;)+) => {
        $( variance!(@$variance ($name $(:: $sub)? <$($arg),+>) $name $($sub)?); )+
    };
    (@covariant $($rest:tt)+) => {};
    (@covariant_life $($rest:tt)+) => {};
    (@invariant ($($type:tt)+) $($name:ident)+) => {
        variance!(@twins $($name)+, $($type)+, "<'a, T>", "'a, 'short", "<'a, &'static str>", "<'a, &'short str>");
    };
    // Without a life to shorten: a function that takes any life can be used where one that takes this life is
    // wanted.
    (@invariant_static ($($type:tt)+) $($name:ident)+) => {
        variance!(@twins $($name)+, $($type)+, "<T>", "", "<for<'any> fn(&'any str)>", "<fn(&'static str)>");
    };
    (@invariant_life ($($type:tt)+) $($name:ident)+) => {
        variance!(@twins $($name)+, $($type)+, "<'a, 'b>", "'short, 'b", "<'static, 'b>", "<'short, 'b>");
    };
    (@twins $module:ident $name:ident, $($rest:tt)+) => {
        const _: () = {
            mod $module {
                variance!(@twins $name, $($rest)+);
            }
        };
    };
    (@twins $name:ident, $type:ty, $parameters:literal, $lives:literal, $long:literal, $short:literal) => {
        const _: () = {
            #[doc = concat!("```compile_fail\n", variance!(@program $type, $parameters, $lives, $long, $short))]
            #[doc = concat!("```\n", variance!(@program $type, $parameters, $lives, $short, $short))]
            #[allow(dead_code)]
            struct $name;
        };
    };
    (@program $type:ty, $parameters:literal, $lives:literal, $given:literal, $wanted:literal) => {
        concat!(
            "#[allow(unused_imports)]\n",
            "use lockwork::*;\n",
            "type Of",
            $parameters,
            " = ",
            stringify!($type),
            ";\n",
            "fn shorten<",
            $lives,
            ">(it: Of",
            $given,
            ") -> Of",
            $wanted,
            " {\n    it\n}\n```",
        )
    };
}

include!("../tests/variance.rs");

/// What goes in by a shared reference does not come out with a longer life.
///
/// ```compile_fail,E0597
/// use lockwork::ThreadLocal;
///
/// fn put<'short>(local: &ThreadLocal<&'short str>, text: &'short str) {
///     local.get_or(|| text);
/// }
///
/// let local: ThreadLocal<&'static str> = ThreadLocal::new();
/// {
///     let text = String::from("gone");
///     put(&local, &text);
/// }
/// println!("{:?}", local.get());
/// ```
///
/// ```
/// use lockwork::ThreadLocal;
///
/// fn put<'short>(local: &ThreadLocal<&'short str>, text: &'short str) {
///     local.get_or(|| text);
/// }
///
/// let text = String::from("here");
/// let local: ThreadLocal<&str> = ThreadLocal::new();
/// put(&local, &text);
/// assert_eq!(local.get(), Some(&"here"));
/// ```
#[allow(dead_code)]
struct ThreadLocalKeepsNoShortLife;
