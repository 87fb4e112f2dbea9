//! Plain HTTP to a process on this machine: the simulator, and the operator's probes.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::Value;

/// A server by its URL.
pub struct Arm {
    pub url: String,
}

impl Arm {
    pub fn at(url: &str) -> Self {
        Self { url: url.to_owned() }
    }

    /// Status and body of a GET.
    pub fn get(&self, path: &str) -> (u16, String) {
        self.send("GET", path, "").expect("the server answers")
    }

    /// Like `get`, when the server may not be there yet.
    pub fn try_get(&self, path: &str) -> Option<(u16, String)> {
        self.send("GET", path, "").ok()
    }

    /// Deletes behind the operator's back.
    pub fn delete(&self, id: &str, api_version: &str) {
        let (code, body) = self.send("DELETE", &format!("{id}?api-version={api_version}"), "").expect("an answer");
        assert_eq!(code, 200, "{body}");
    }

    /// The role assignments at exactly this scope.
    pub fn role_assignments_at(&self, scope: &str) -> Vec<Value> {
        let path = format!("{scope}/providers/Microsoft.Authorization/roleAssignments");
        let (code, body) = self.get(&format!("{path}?api-version=2022-04-01&$filter=atScope()"));
        assert_eq!(code, 200, "{body}");
        let list: Value = serde_json::from_str(&body).expect("JSON");
        let all = list["value"].as_array().cloned().unwrap_or_default();
        all.into_iter().filter(|assignment| assignment["properties"]["scope"] == scope).collect()
    }

    fn send(&self, method: &str, path: &str, body: &str) -> io::Result<(u16, String)> {
        let host = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer any\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        Ok((code, body.to_owned()))
    }
}
