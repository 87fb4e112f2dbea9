//! The connections that a policy's bindings and platform use, for whoever may compare them with the app's settings.

use crate::{
    api::Settings,
    catalog::binding::{Form, Row},
    model::Scope,
    policy::declared::{Connection, Identity, Origin, Unchecked},
};

/// What has been gathered so far. Nothing where settings may not be read.
pub(super) struct Connections {
    wanted: bool,
    found: Vec<Connection>,
    uncompared: Vec<Unchecked>,
}

impl Connections {
    pub(super) fn of(settings: Settings) -> Self {
        Self { wanted: settings == Settings::Inspect, found: Vec::new(), uncompared: Vec::new() }
    }

    /// Adds the connection of a row; `name` is empty where the policy says none.
    pub(super) fn add(
        &mut self,
        origin: &Origin,
        row: &'static Row,
        name: &str,
        resource: &Scope,
        identity: &Identity,
    ) {
        let Some(connection) = row.connection.as_ref().filter(|_| self.wanted) else { return };
        match connection.form {
            Form::Settings | Form::Telemetry => {}
            Form::Value => return self.leave(origin, "is reached by one setting, whose value is not read"),
            // A property of the app has it: of a registry that is compared without the settings.
            Form::Site if row.platform.as_deref() == Some("registry") => return,
            Form::Site => return self.leave(origin, "is reached by a property of the app, which is not compared"),
        }
        let fixed = row.platform.as_ref().map(|_| connection.property.as_str());
        let name = if name.is_empty() { fixed.or(connection.default.as_deref()) } else { Some(name) };
        let Some(name) = name else {
            return self.leave(origin, "names no `connection`, so its settings are not compared");
        };
        let same = self.found.iter_mut().find(|known| {
            std::ptr::eq(known.row, connection)
                && known.name.eq_ignore_ascii_case(name)
                && known.resource == *resource
                && known.identity == *identity
        });
        match same {
            Some(known) => known.origins.push(origin.clone()),
            None => self.found.push(Connection {
                origins: vec![origin.clone()],
                name: name.to_owned(),
                row: connection,
                resource: resource.clone(),
                identity: identity.clone(),
            }),
        }
    }

    fn leave(&mut self, origin: &Origin, because: &str) {
        self.uncompared.push(Unchecked { origin: origin.clone(), because: because.to_owned() });
    }

    pub(super) fn into_parts(self) -> (Vec<Connection>, Vec<Unchecked>) {
        (self.found, self.uncompared)
    }
}
