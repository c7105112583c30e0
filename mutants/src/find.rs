//! Finds the places of a source file where something may be changed, and what each may become.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use proc_macro2::Span;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{BinOp, Block, Expr, ImplItem, Item, Lit, Pat, ReturnType, Stmt, Type};

/// What kind of change it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A weaker memory ordering.
    Ordering,
    /// A statement that is left out: a call, an assignment.
    Deleted,
    /// A condition that is negated, a comparison or a connective that is another.
    Condition,
    /// A bit that is not set or cleared: a method that returns its receiver changed returns it as it was.
    Bits,
    /// Another number or truth value, another sign.
    Value,
    /// A function that answers always the same.
    Answer,
    /// A change that was written by hand, in `faults.txt`.
    Fault,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ordering => "ordering",
            Self::Deleted => "deleted",
            Self::Condition => "condition",
            Self::Bits => "bits",
            Self::Value => "value",
            Self::Answer => "answer",
            Self::Fault => "fault",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        use Kind::{Answer, Bits, Condition, Deleted, Fault, Ordering, Value};
        [Ordering, Deleted, Condition, Bits, Value, Answer, Fault]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// What stands in the place of a mutant that is picked, or around it.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    Text(String),
    /// Source, in which there may be other mutants.
    Source(Range<usize>),
    /// Source as it is: one mutant is picked at a time.
    Plain(Range<usize>),
    /// The expression that says whether this mutant is picked.
    Picked,
}

/// One change: the place, its name, and what is written there.
#[derive(Clone, Debug)]
pub(crate) struct Mutant {
    pub(crate) kind: Kind,
    /// The file, below the root of the tree.
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) function: String,
    /// What is changed into what, and which of several of that name in the function.
    pub(crate) change: String,
    pub(crate) range: Range<usize>,
    pub(crate) pieces: Vec<Piece>,
}

impl Mutant {
    /// What it is called in the table of results: as long as the function stays, it does.
    pub(crate) fn key(&self) -> String {
        format!("{}\t{}\t{}", self.file, self.function, self.change)
    }
}

/// Returns the methods of `source` that take `self` and return another of its type.
pub(crate) fn transformers(source: &syn::File) -> BTreeSet<String> {
    struct Collector(BTreeSet<String>);
    impl<'ast> Visit<'ast> for Collector {
        fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
            let own = type_name(&item.self_ty);
            for item in &item.items {
                let ImplItem::Fn(method) = item else { continue };
                let by_value = method.sig.receiver().is_some_and(|receiver| receiver.reference.is_none());
                let ReturnType::Type(_, returned) = &method.sig.output else { continue };
                let returned = type_name(returned);
                if by_value && method.sig.constness.is_some() && (returned == "Self" || returned == own) {
                    self.0.insert(method.sig.ident.to_string());
                }
            }
        }
    }
    let mut collector = Collector(BTreeSet::new());
    collector.visit_file(source);
    collector.0
}

/// Returns all mutants of a file, `transformers` being the methods that change bits.
pub(crate) fn mutants(
    file: &str,
    text: &str,
    source: &syn::File,
    transformers: &BTreeSet<String>,
) -> Vec<Mutant> {
    let mut finder = Finder {
        file,
        text,
        transformers,
        path: Vec::new(),
        access: Access::Exchange,
        negated: BTreeSet::new(),
        found: Vec::new(),
    };
    finder.visit_file(source);
    let mut found = finder.found;
    found.sort_by_key(|mutant| (mutant.range.start, usize::MAX - mutant.range.end));
    let mut seen = BTreeMap::new();
    for mutant in &mut found {
        let count: &mut usize = seen.entry(mutant.key()).or_default();
        *count += 1;
        if *count > 1 {
            mutant.change = format!("{} ({count})", mutant.change);
        }
    }
    found
}

/// The operation that an ordering is an argument of.
#[derive(Clone, Copy)]
enum Access {
    Load,
    Store,
    Exchange,
    Fence,
}

fn weaker(ordering: &str, access: Access) -> &'static [&'static str] {
    match (ordering, access) {
        ("SeqCst", Access::Fence) => &["AcqRel"],
        ("AcqRel", Access::Fence) => &["Acquire", "Release"],
        ("SeqCst", Access::Load) => &["Acquire", "Relaxed"],
        ("SeqCst", Access::Store) => &["Release", "Relaxed"],
        ("SeqCst", Access::Exchange) => &["AcqRel", "Acquire", "Release", "Relaxed"],
        ("AcqRel", _) => &["Acquire", "Release", "Relaxed"],
        ("Acquire" | "Release", Access::Load | Access::Store | Access::Exchange) => &["Relaxed"],
        _ => &[],
    }
}

struct Finder<'a> {
    file: &'a str,
    text: &'a str,
    transformers: &'a BTreeSet<String>,
    /// The types and functions around the place.
    path: Vec<String>,
    access: Access,
    /// Where conditions begin that are negated as a whole.
    negated: BTreeSet<usize>,
    found: Vec<Mutant>,
}

impl Finder<'_> {
    fn add(&mut self, kind: Kind, span: Span, change: String, pieces: Vec<Piece>) {
        let function = if self.path.is_empty() { "-".to_owned() } else { self.path.join("::") };
        self.found.push(Mutant {
            kind,
            file: self.file.to_owned(),
            line: span.start().line,
            function,
            change,
            range: span.byte_range(),
            pieces,
        });
    }

    /// Another expression in the place of one.
    fn replace(&mut self, kind: Kind, span: Span, change: String, other: Vec<Piece>) {
        let mut pieces = vec![text("(if "), Piece::Picked, text(" { ")];
        pieces.extend(other);
        pieces.extend([text(" } else { "), Piece::Source(span.byte_range()), text(" })")]);
        self.add(kind, span, change, pieces);
    }

    fn delete(&mut self, span: Span) {
        let change = format!("deleted: {}", self.short(span));
        let pieces =
            vec![text("if !"), Piece::Picked, text(" { "), Piece::Source(span.byte_range()), text(" }")];
        self.add(Kind::Deleted, span, change, pieces);
    }

    /// The source there, on one line and not too long.
    fn short(&self, span: Span) -> String {
        let code: String = self.text[span.byte_range()]
            .lines()
            .map(|line| line.split("//").next().unwrap_or_default())
            .collect::<Vec<_>>()
            .join(" ");
        let line = code.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.chars().count() <= 70 { line } else { line.chars().take(68).chain("..".chars()).collect() }
    }

    /// Negates a condition; of a chain with `let` each part that is none.
    fn condition(&mut self, condition: &Expr) {
        if let Expr::Binary(binary) = condition {
            if matches!(binary.op, BinOp::And(_)) && has_let(condition) {
                self.condition(&binary.left);
                self.condition(&binary.right);
                return;
            }
        }
        if has_let(condition) {
            return;
        }
        let span = condition.span();
        self.negated.insert(span.byte_range().start);
        let change = format!("not: {}", self.short(span));
        let pieces =
            vec![text("("), Piece::Picked, text(" != ("), Piece::Source(span.byte_range()), text("))")];
        self.add(Kind::Condition, span, change, pieces);
    }

    fn ordering(&mut self, path: &syn::ExprPath) {
        let Some(last) = path.path.segments.last() else { return };
        let name = last.ident.to_string();
        for other in weaker(&name, self.access) {
            self.replace(
                Kind::Ordering,
                path.span(),
                format!("{name} to {other}"),
                vec![text(&format!("::core::sync::atomic::Ordering::{other}"))],
            );
        }
    }

    fn binary(&mut self, binary: &syn::ExprBinary) {
        let whole = binary.span();
        let (from, to, kind) = match binary.op {
            BinOp::Lt(_) => ("<", "<=", Kind::Condition),
            BinOp::Le(_) => ("<=", "<", Kind::Condition),
            BinOp::Gt(_) => (">", ">=", Kind::Condition),
            BinOp::Ge(_) => (">=", ">", Kind::Condition),
            // A condition that is one comparison has been negated.
            BinOp::Eq(_) if !self.negated.contains(&whole.byte_range().start) => {
                ("==", "!=", Kind::Condition)
            }
            BinOp::Ne(_) if !self.negated.contains(&whole.byte_range().start) => {
                ("!=", "==", Kind::Condition)
            }
            BinOp::And(_) if !has_let(&Expr::Binary(binary.clone())) => ("&&", "||", Kind::Condition),
            BinOp::Or(_) => ("||", "&&", Kind::Condition),
            BinOp::Add(_) => ("+", "-", Kind::Value),
            BinOp::Sub(_) => ("-", "+", Kind::Value),
            _ => return,
        };
        self.replace(
            kind,
            whole,
            format!("{from} to {to}: {}", self.short(whole)),
            vec![
                Piece::Plain(binary.left.span().byte_range()),
                text(&format!(" {to} ")),
                Piece::Plain(binary.right.span().byte_range()),
            ],
        );
    }

    fn literal(&mut self, literal: &syn::ExprLit) {
        let (from, to) = match &literal.lit {
            Lit::Int(int) => {
                let Ok(value) = int.base10_parse::<u128>() else { return };
                (int.to_string(), format!("{}{}", value + 1, int.suffix()))
            }
            Lit::Bool(bool) => (bool.value.to_string(), (!bool.value).to_string()),
            _ => return,
        };
        self.replace(Kind::Value, literal.span(), format!("{from} to {to}"), vec![text(&to)]);
    }

    /// A function that answers yes, or no, whatever is.
    fn answers(&mut self, signature: &syn::Signature, block: &Block) {
        let ReturnType::Type(_, returned) = &signature.output else { return };
        if type_name(returned) != "bool" || block.stmts.is_empty() {
            return;
        }
        // Before the first byte of the body.
        let body = block.brace_token.span.open();
        for answer in ["true", "false"] {
            let pieces = vec![text(" if "), Piece::Picked, text(&format!(" {{ return {answer}; }} "))];
            self.add(Kind::Answer, body, format!("always {answer}"), pieces);
            if let Some(added) = self.found.last_mut() {
                added.range = added.range.end..added.range.end;
            }
        }
    }

    fn function(&mut self, signature: &syn::Signature, attributes: &[syn::Attribute], block: &Block) {
        if signature.constness.is_some() || is_test(attributes) {
            return;
        }
        self.path.push(signature.ident.to_string());
        self.answers(signature, block);
        if let (ReturnType::Default, Some(Stmt::Expr(last, None))) = (&signature.output, block.stmts.last()) {
            if is_effect(last) {
                self.delete(last.span());
            }
        }
        visit::visit_block(self, block);
        self.path.pop();
    }
}

fn text(text: &str) -> Piece {
    Piece::Text(text.to_owned())
}

fn type_name(ty: &Type) -> String {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default(),
        Type::Reference(reference) => type_name(&reference.elem),
        _ => String::new(),
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) => {
            list.path.is_ident("cfg") && list.tokens.to_string().split([' ', '(']).any(|word| word == "test")
        }
        syn::Meta::NameValue(_) => false,
    })
}

fn has_let(expr: &Expr) -> bool {
    match expr {
        Expr::Let(_) => true,
        Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        _ => false,
    }
}

/// Whether an expression statement does something that can be left out.
fn is_effect(expr: &Expr) -> bool {
    match expr {
        Expr::Call(_) | Expr::MethodCall(_) | Expr::Unsafe(_) => true,
        Expr::Assign(assign) => !matches!(*assign.left, Expr::Path(_) | Expr::Infer(_)),
        Expr::Binary(binary) => is_compound(&binary.op),
        _ => false,
    }
}

/// Whether an argument is a function: then its method gives access to something, and changes no bits.
fn is_function(argument: &Expr) -> bool {
    match argument {
        Expr::Closure(_) => true,
        Expr::Path(path) => {
            let last = path.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
            path.path.segments.len() > 1 && last.starts_with(|first: char| first.is_lowercase())
        }
        _ => false,
    }
}

fn is_compound(op: &BinOp) -> bool {
    matches!(op, BinOp::AddAssign(_) | BinOp::SubAssign(_) | BinOp::BitOrAssign(_) | BinOp::BitAndAssign(_))
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        // What is shown to people is for the tests of that alone.
        let shown = item
            .trait_
            .as_ref()
            .and_then(|(_, path, _)| path.segments.last())
            .is_some_and(|last| last.ident == "Debug" || last.ident == "Display");
        if !shown && !is_test(&item.attrs) {
            self.path.push(type_name(&item.self_ty));
            item.items.iter().for_each(|item| self.visit_impl_item(item));
            self.path.pop();
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, &item.attrs, &item.block);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.sig, &item.attrs, &item.block);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(&item.sig, &item.attrs, block);
        }
    }

    // Evaluated by the compiler, which can pick no mutant.
    fn visit_item_const(&mut self, _: &'ast syn::ItemConst) {}
    fn visit_impl_item_const(&mut self, _: &'ast syn::ImplItemConst) {}
    fn visit_trait_item_const(&mut self, _: &'ast syn::TraitItemConst) {}
    fn visit_item_static(&mut self, _: &'ast syn::ItemStatic) {}
    fn visit_type(&mut self, _: &'ast Type) {}
    fn visit_generic_argument(&mut self, _: &'ast syn::GenericArgument) {}
    fn visit_pat(&mut self, _: &'ast Pat) {}
    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}
    fn visit_variant(&mut self, _: &'ast syn::Variant) {}
    fn visit_expr_const(&mut self, _: &'ast syn::ExprConst) {}
    fn visit_expr_repeat(&mut self, repeat: &'ast syn::ExprRepeat) {
        self.visit_expr(&repeat.expr);
    }

    /// Looks into the macros that choose items by the arm of the facade.
    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        let Some(name) = mac.path.segments.last().map(|last| last.ident.to_string()) else { return };
        if !name.ends_with("_only") {
            return;
        }
        let items = |input: ParseStream<'_>| {
            let mut items: Vec<Item> = Vec::new();
            while !input.is_empty() {
                items.push(input.parse()?);
            }
            Ok(items)
        };
        let methods = |input: ParseStream<'_>| {
            let mut items: Vec<ImplItem> = Vec::new();
            while !input.is_empty() {
                items.push(input.parse()?);
            }
            Ok(items)
        };
        if let Ok(items) = methods.parse2(mac.tokens.clone()) {
            items.iter().for_each(|item| self.visit_impl_item(item));
        } else if let Ok(items) = items.parse2(mac.tokens.clone()) {
            items.iter().for_each(|item| self.visit_item(item));
        }
    }

    fn visit_stmt(&mut self, stmt: &'ast Stmt) {
        match stmt {
            Stmt::Expr(expr, Some(_)) if is_effect(expr) => self.delete(stmt.span()),
            Stmt::Local(local) if matches!(local.pat, Pat::Wild(_)) && local.init.is_some() => {
                self.delete(stmt.span());
            }
            _ => {}
        }
        visit::visit_stmt(self, stmt);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        if let Some((_, guard)) = &arm.guard {
            self.condition(guard);
        }
        visit::visit_arm(self, arm);
    }

    fn visit_expr_if(&mut self, expr: &'ast syn::ExprIf) {
        self.condition(&expr.cond);
        visit::visit_expr_if(self, expr);
    }

    fn visit_expr_while(&mut self, expr: &'ast syn::ExprWhile) {
        self.condition(&expr.cond);
        visit::visit_expr_while(self, expr);
    }

    fn visit_expr_path(&mut self, expr: &'ast syn::ExprPath) {
        self.ordering(expr);
    }

    fn visit_expr_binary(&mut self, expr: &'ast syn::ExprBinary) {
        self.binary(expr);
        visit::visit_expr_binary(self, expr);
    }

    fn visit_expr_lit(&mut self, expr: &'ast syn::ExprLit) {
        self.literal(expr);
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        let before = self.access;
        if let Expr::Path(path) = &*call.func {
            if path.path.segments.last().is_some_and(|last| last.ident == "fence") {
                self.access = Access::Fence;
            }
        }
        visit::visit_expr_call(self, call);
        self.access = before;
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let name = call.method.to_string();
        if self.transformers.contains(&name) && !call.args.first().is_some_and(is_function) {
            let span = call.span();
            let change = format!("without .{name}: {}", self.short(span));
            self.replace(Kind::Bits, span, change, vec![Piece::Plain(call.receiver.span().byte_range())]);
        }
        self.visit_expr(&call.receiver);
        let before = self.access;
        for (index, argument) in call.args.iter().enumerate() {
            self.access = match (name.as_str(), index) {
                ("load", _) | ("compare_exchange" | "compare_exchange_weak", 3) => Access::Load,
                ("store", _) => Access::Store,
                _ => Access::Exchange,
            };
            self.visit_expr(argument);
        }
        self.access = before;
    }
}
