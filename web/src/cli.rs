//! The command line: few commands, each with few options.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use ringback_routing::ids::SkillId;
use ringback_store::Role;

use crate::users;

pub const HELP: &str = "\
ringback: a self-hosted contact centre server

  ringback demo [--data-dir DIR] [--http ADDRESS]   everything on this machine with a demo county
  ringback serve --config FILE                      the server
  ringback check-config --config FILE               says what is wrong, by line and key, or what is in force
  ringback user add --config FILE --role ROLE [--tenant ID] [--name NAME] [--no-reject] [--skills SKILLS] USER
                                                    the password is read from standard input
  ringback backup --config FILE --to FILE           writes the whole ledger to a new file while the server works
  ringback restore --config FILE --from FILE        reads it into an empty ledger, also one of the other database
  ringback verify-audit --config FILE               recomputes every audit chain and names the first broken row
  ringback openapi                                  prints the OpenAPI description
  ringback --version | --help

Roles: agent, supervisor, admin, auditor (of a tenant); operator (of none).
Skills: an agent's, with levels from 1 to 10, like spanish=8,tax=3, or none; without the option every skill at level 10.
";

#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    Demo { data_dir: PathBuf, http: SocketAddr },
    Serve { config: PathBuf },
    CheckConfig { config: PathBuf },
    UserAdd(UserAdd),
    VerifyAudit { config: PathBuf },
    Backup { config: PathBuf, to: PathBuf },
    Restore { config: PathBuf, from: PathBuf },
    OpenApi,
    Version,
    Help,
}

#[derive(Debug, Clone, PartialEq)]
pub struct UserAdd {
    pub config: PathBuf,
    pub id: String,
    pub role: Role,
    pub tenant: Option<String>,
    pub name: Option<String>,
    pub no_reject: bool,
    /// Only these, with their levels; `None` is every skill that the tenant asks for.
    pub skills: Option<BTreeMap<SkillId, u8>>,
}

/// What was typed, or what is wrong with it.
pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Command, String> {
    let mut words = Words { words: words.into_iter().collect() };
    let command = match words.plain()?.as_deref() {
        None if words.flag("--version") || words.flag("-V") => Command::Version,
        None if words.flag("--help") || words.flag("-h") => Command::Help,
        None | Some("help") => Command::Help,
        Some("demo") => {
            let data_dir = words.option("--data-dir")?.unwrap_or_else(|| "demo-data".to_owned()).into();
            let http = words.option("--http")?.unwrap_or_else(|| "127.0.0.1:8080".to_owned());
            let http: SocketAddr = http.parse().map_err(|_| format!("--http: `{http}` is not like 127.0.0.1:8080"))?;
            if !http.ip().is_loopback() {
                return Err("the demo serves this machine only: --http must be a loopback address".to_owned());
            }
            Command::Demo { data_dir, http }
        }
        Some("serve") => Command::Serve { config: words.config()? },
        Some("check-config") => Command::CheckConfig { config: words.config()? },
        Some("verify-audit") => Command::VerifyAudit { config: words.config()? },
        Some("backup") => {
            let to = words.option("--to")?.ok_or("backup needs --to")?.into();
            Command::Backup { config: words.config()?, to }
        }
        Some("restore") => {
            let from = words.option("--from")?.ok_or("restore needs --from")?.into();
            Command::Restore { config: words.config()?, from }
        }
        Some("openapi") => Command::OpenApi,
        Some("user") => user(&mut words)?,
        Some(other) => return Err(format!("there is no command `{other}`")),
    };
    match words.words.first() {
        Some(left) => Err(format!("`{left}` is not understood here")),
        None => Ok(command),
    }
}

fn user(words: &mut Words) -> Result<Command, String> {
    match words.plain()?.as_deref() {
        Some("add") => {}
        _ => return Err("user: only `user add` is known".to_owned()),
    }
    let role = words.option("--role")?.ok_or("user add needs --role")?;
    let role: Role = role.parse().map_err(|_| format!("`{role}` is not a role"))?;
    let add = UserAdd {
        config: words.config()?,
        role,
        tenant: words.option("--tenant")?,
        name: words.option("--name")?,
        no_reject: words.flag("--no-reject"),
        skills: words.option("--skills")?.map(|text| skills(&text)).transpose()?,
        id: words.plain()?.ok_or("user add needs the user's name")?,
    };
    if !users::is_name(&add.id) {
        return Err("a user's name has 1 to 64 of a-z, 0-9, - _ . @".to_owned());
    }
    if add.skills.is_some() && role != Role::Agent {
        return Err("--skills is for agents: nobody else takes contacts".to_owned());
    }
    match (role, &add.tenant) {
        (Role::Operator, Some(_)) => Err("an operator belongs to no tenant".to_owned()),
        (Role::Operator, None) | (_, Some(_)) => Ok(Command::UserAdd(add)),
        (_, None) => Err("user add needs --tenant for this role".to_owned()),
    }
}

/// `spanish=8,tax=3`, or `none`.
fn skills(text: &str) -> Result<BTreeMap<SkillId, u8>, String> {
    if text == "none" {
        return Ok(BTreeMap::new());
    }
    let one = |word: &str| {
        let (skill, level) = word.split_once('=')?;
        let level = level.parse().ok().filter(|level| (1..=10).contains(level))?;
        users::is_name(skill).then(|| (SkillId::new(skill), level))
    };
    let read =
        |word| one(word).ok_or_else(|| format!("--skills: `{word}` is not like spanish=8 with a level from 1 to 10"));
    text.split(',').map(read).collect()
}

struct Words {
    words: Vec<String>,
}

impl Words {
    /// The next word if it is no option.
    fn plain(&mut self) -> Result<Option<String>, String> {
        match self.words.first() {
            Some(word) if !word.starts_with('-') => Ok(Some(self.words.remove(0))),
            _ => Ok(None),
        }
    }

    fn flag(&mut self, name: &str) -> bool {
        let found = self.words.iter().position(|word| word == name);
        found.map(|index| self.words.remove(index)).is_some()
    }

    /// `--name value` or `--name=value`.
    fn option(&mut self, name: &str) -> Result<Option<String>, String> {
        let joined = format!("{name}=");
        if let Some(index) = self.words.iter().position(|word| word.starts_with(&joined)) {
            return Ok(Some(self.words.remove(index)[joined.len()..].to_owned()));
        }
        let Some(index) = self.words.iter().position(|word| word == name) else { return Ok(None) };
        self.words.remove(index);
        if index < self.words.len() && !self.words[index].starts_with("--") {
            Ok(Some(self.words.remove(index)))
        } else {
            Err(format!("{name} needs a value"))
        }
    }

    fn config(&mut self) -> Result<PathBuf, String> {
        self.option("--config")?.map(PathBuf::from).ok_or_else(|| "--config FILE is missing".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Command, String> {
        parse(text.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn commands_are_read() {
        assert_eq!(read("serve --config a.toml"), Ok(Command::Serve { config: "a.toml".into() }));
        assert_eq!(read("check-config --config=a.toml"), Ok(Command::CheckConfig { config: "a.toml".into() }));
        assert_eq!(read("--version"), Ok(Command::Version));
        assert_eq!(read(""), Ok(Command::Help));
        assert_eq!(read("openapi"), Ok(Command::OpenApi));
        assert_eq!(read("verify-audit --config c"), Ok(Command::VerifyAudit { config: "c".into() }));
        let http = "127.0.0.1:8080".parse().unwrap();
        assert_eq!(read("demo"), Ok(Command::Demo { data_dir: "demo-data".into(), http }));
        let add = read("user add --config c --tenant sacramento --role agent --name Maria maria").unwrap();
        let Command::UserAdd(add) = add else { panic!("{add:?}") };
        assert_eq!((add.id.as_str(), add.role, add.name.as_deref()), ("maria", Role::Agent, Some("Maria")));
        assert!(read("user add --config c --role operator root").is_ok());
        let skills = |text: &str| match read(&format!("user add --config c --tenant t --role agent --skills {text} jo"))
        {
            Ok(Command::UserAdd(add)) => {
                add.skills.unwrap().into_iter().map(|(skill, level)| format!("{skill} {level}")).collect()
            }
            other => vec![format!("{other:?}")],
        };
        assert_eq!(skills("tax=3,spanish=10"), ["spanish 10", "tax 3"]);
        assert!(skills("none").is_empty());
    }

    #[test]
    fn mistakes_are_named() {
        for (text, expected) in [
            ("serve", "--config"),
            ("serve --config", "needs a value"),
            ("fly", "no command"),
            ("demo --http 0.0.0.0:80", "loopback"),
            ("user add --config c --tenant t --role agent --skills tax=11 jo", "1 to 10"),
            ("user add --config c --tenant t --role agent --skills tax jo", "`tax`"),
            ("user add --config c --tenant t --role supervisor --skills none jo", "for agents"),
            ("demo extra", "extra"),
            ("openapi --loud", "--loud"),
            ("user remove x", "user add"),
            ("user add --config c --role king x", "king"),
            ("user add --config c --role agent x", "--tenant"),
            ("user add --config c --role operator --tenant t x", "no tenant"),
            ("user add --config c --role operator R/../x", "1 to 64"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
