"""Which texts hold secrets, and that they are refused wherever they stand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from windlass.dagfactory import ConfigFile, render_text
from windlass.dagfactory.analysis import analyse, analyse_bytes
from windlass.dagfactory.diagnostics import Diagnostic
from windlass.dagfactory.secrets import hide, is_literal, names_secret

pytestmark = pytest.mark.unit

FILE = ConfigFile("sales_daily_load_v1/dag.json", "/configs/sales_daily_load_v1/dag.json")
BASH = "airflow.bash"


def check(data: dict[str, Any]) -> list[Diagnostic]:
    return analyse_bytes(json.dumps(data, indent=1).encode(), file=FILE).diagnostics()


def with_args(config: dict[str, Any], **args: Any) -> dict[str, Any]:
    return config | {"tasks": {"note": {"operator": "trial.note", "args": args}}}


# Each secret is marked with « and », which the tests take out. Tokens are cut, lest hosts take them for real.
GITHUB = "ghp_" + "a1B2" * 9
AWS = "AKIA" + "IOSFODNN7EXAMPLE"
JWT = "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxIn0." + "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
SECRETS = [
    "export PASSWORD=«hunter2»",
    "set -e\nexport DB_PASSWORD='«hunter 2»'\nrun",
    'export API_KEY="«0a1b2c»"; run',
    "PGPASSWORD=«hunter2» psql -h db",
    "cd /x && MYSQL_PWD=«hunter2» mysql",
    "FOO=bar TOKEN=«abc123» ./deploy.sh",
    "env AWS_SECRET_ACCESS_KEY=«wJalrXUtnFEMI/K7MDENG» aws s3 ls",
    "if true; then SECRET_KEY=«abc» run; fi",
    "sh -c 'CLIENT_SECRET=«abc» run'",
    "docker run -e POSTGRES_PASSWORD=«postgres1» postgres",
    "docker build --build-arg NPM_TOKEN=«abc» .",
    "psql ${PGPASSWORD:-«hunter2»}",
    "curl -u alice:«pw» https://example.org",
    "curl -s --user 'alice:«p w»' https://example.org",
    "curl https://example.org \\\n  -u alice:«pw»",
    "curl --proxy-user=me:«pw» x",
    "http -a me:«pw» example.org",
    "run --password «x1»",
    "run --password=«x1» --verbose",
    'run --db-password "«x 1»"',
    "run --api-key=«abc» --token «def»".replace("«def»", "$T"),
    "run -password «x1»",
    "java -Dspring.datasource.password=«x1» -jar a.jar",
    "deploy --client-secret «abc»",
    "mysql -uroot -p«hunter2» shop",
    "sshpass -p «hunter2» ssh me@host",
    "docker login -u me -p «hunter2» registry.example.org",
    "echo «hunter2» | docker login -u me --password-stdin",
    "redis-cli -a «hunter2» ping",
    "sqlcmd -S db -U sa -P «Hunter2»",
    "ldapsearch -D cn=me -w «hunter2» -b dc=x",
    "mongosh -u me -p «hunter2»",
    "lftp -u me,«hunter2» host",
    "smbclient //host/share -U me%«hunter2»",
    "openssl rsa -passin pass:«hunter2» -in key.pem",
    "printf 'machine h login me password «hunter2»' > ~/.netrc",
    "curl -H 'Authorization: Bearer «abcdef0123456789»' x",
    'curl -H "Authorization: Basic «bWU6eA==»" x',
    "curl -H 'X-Api-Key: «abc123»' x",
    "curl -H 'PRIVATE-TOKEN: «abc123»' x",
    """curl -d '{"user": "me", "password": "«hunter2»"}' x""",
    "python -c \"connect(password='«hunter2»')\"",
    "psql 'host=db user=me password=«hunter2» dbname=x'",
    "psql 'host=db PASSWORD=«hunter2»'",
    "host=db user=me password=«hunter2» dbname=x",
    "host=db password = '«hunter 2»' dbname=x",
    "Server=db;Password=«hunter2»;",
    "password=«hunter2»",
    "create user etl with password '«hunter2»'",
    "ALTER ROLE etl ENCRYPTED PASSWORD '«hunter2»';",
    "-- a comment\nALTER USER etl IDENTIFIED BY '«hunter2»'",
    "create user a identified with sha256_password by '«hunter2»'",
    "set password for me = '«hunter2»'",
    "copy t from 's3://b/c' credentials 'aws_secret_access_key=«wJalrXUtnFEMI»'",
    "create stage s credentials=(aws_secret_key='«wJalrXUtnFEMI»')",
    "update staff set password = '«hunter2»' where id = 1",
    "psql -c \"alter role etl password '«hunter2»'\"",
    "postgresql://me:«hunter2»@db/sales",
    "see amqp://me:«x»@host",
    "git clone https://oauth2:«abc»@example.org/a.git",
    "curl 'https://example.org/a?token=«abc»&page=2'",
    "wget https://example.org/a?x=1&api_key=«abc»",
    "https://hooks.slack.com/services/«T000000/B000000/" + "x" * 24 + "»",
    f"aws configure set id «{AWS}»",
    f"curl -H x «{GITHUB}»",
    "«github_pat_" + "11ABCDEFG0" * 2 + "_" + "x" * 59 + "»",
    "«glpat-" + "abcdefghij" * 2 + "»",
    "«xoxb-" + "123456789012-abcdef" + "»",
    "«AIza" + "SyA1234567890abcdefghijklmnopqrstuvw"[:35] + "»",
    "«sk_live_" + "a1B2c3D4" * 3 + "»",
    "«npm_" + "a1B2" * 9 + "»",
    "«hvs." + "a1B2c3" * 6 + "»",
    "bot «123456789:AA" + "Hdqwert-" * 4 + "x»",
    f"x «{JWT}»",
    "«-----BEGIN PRIVATE " + "KEY-----\nMIIE\n-----END PRIVATE KEY-----» x",
    "«-----BEGIN OPENSSH PRIVATE " + "KEY-----\nMIIE»",
]


def unmarked(text: str) -> tuple[str, int, str]:
    before, _, rest = text.partition("«")
    secret, _, after = rest.partition("»")
    return before + secret + after, len(before), secret


@pytest.mark.parametrize("marked", SECRETS)
def test_a_secret_in_a_text_is_refused_where_it_stands(config: dict[str, Any], marked: str) -> None:
    text, start, secret = unmarked(marked)
    data = with_args(config, text=text)
    [found] = check(data)
    assert found.code in ("WDF501", "WDF502")
    assert found.path == "$.tasks.note.args.text"
    line = json.dumps(data, indent=1).splitlines()[found.line - 1]
    before = json.dumps(text[:start])[1:-1]
    assert line[: found.column - 1].endswith(f'"text": "{before}')
    assert found.length >= len(json.dumps(secret.split()[0])) - 2
    assert found.source_line is None
    shown = f"{render_text([found])} {found.as_dict()} {hide(text)}"
    assert secret == "x" or secret not in shown


NO_SECRETS = [
    "export PASSWORD=$DB_PASSWORD",
    'export PASSWORD="$${PASSWORD}"',
    "export PASSWORD='{{ conn.db.password }}'",
    "PASSWORD={{ var.value.x }} run",
    "PASSWORD=$(cat file) run",
    "PASSWORD=`cat file` run",
    "PASSWORD= run",
    'PASSWORD="" run',
    "export PASSWORD",
    "read -s PASSWORD; export PASSWORD",
    "unset TOKEN; TOKEN=$1",
    "PASSWORD=*** run",
    "PASSWORD=<password> run",
    'TOKEN="<your token>" run',
    "TOKEN=xxxx run",
    "API_KEY=... run",
    "PASSWORD=changeme run",
    "PASSWORD=your-password run",
    "PGPASSFILE=/run/secrets/pgpass psql",
    "PASSWORD_FILE=/run/x run",
    "SECRET_NAME=prod/db run",
    "TOKEN=/var/run/token run",
    "GOOGLE_APPLICATION_CREDENTIALS=/keys/gcp.json run",
    "echo $PASSWORD | docker login --password-stdin",
    'echo "$PASSWORD" | docker login -u me --password-stdin',
    "run --password-file /run/x",
    "run --password-stdin < /run/x",
    "run --password $PASSWORD",
    'run --password "$${PASSWORD}"',
    "run --password={{ conn.db.password }}",
    "run --password --host db",
    "run --password",
    "psql --no-password -h db",
    "run --token-file=/run/x --next-token abc --max-tokens 5 --tokenizer words",
    "docker build --secret id=npm,src=.npmrc .",
    "gcloud secrets versions access latest --secret=db-pass",
    "aws secretsmanager get-secret-value --secret-id prod/db",
    "ssh -i ~/.ssh/id_rsa --private-key id_rsa me@host",
    "mkdir -p out && cp -a in out",
    "mysql -u root -p shop",
    'mysql -uroot -p"$MYSQL_PWD" shop',
    "curl -u $USER:$PASSWORD x",
    'curl -u "alice:$${PASSWORD}" x',
    "curl -u alice: x",
    "curl -u alice x",
    "docker run -u 1000:1000 alpine",
    "curl -s x; docker run -u 1000:1000 alpine",
    "curl -H 'Authorization: Bearer $TOKEN' x",
    "curl -H 'Authorization: Bearer {{ conn.api.password }}' x",
    "the header is Authorization: Bearer <token>",
    "sshpass -e ssh me@host",
    "sshpass -f /run/x ssh me@host",
    "openssl rsa -passin env:KEY -in key.pem",
    "pyspark --conf spark.x.keystore=a",
    'if [ "$PASSWORD" = x ]; then exit; fi',
    "awk '$token == \"x\"' f",
    "for token in a b; do echo $token; done",
    "select id from staff where password = %(password)s and token = $1",
    "select u.password, length(password) from staff u where u.password = v.password",
    "select id from a where password='' or password=:password or password=?",
    "update staff set password=null, password_changed=now() where password=crypt(x)",
    "select * from t where token = 'EUR' and key_token='a'",
    "with a as (select 1)\nselect token\nfrom a where\ntoken=other",
    "alter role etl with password null",
    "alter role etl password :'pw'",
    "alter role etl password '{{ conn.db.password }}'",
    "create user x identified by '$${PW}'",
    "select 'password' as label, \"password\" from t",
    "host=db user=me password={{ conn.db.password }}",
    "host=db user=me password=$${DB_PASSWORD} dbname=x",
    "host=db user=me password= dbname=x",
    "data/password=2024.csv.md",
    "raw/token=abc/dt=1",
    "https://example.org:8080/a@b",
    "postgresql://me@db/sales",
    "postgresql://me:{{ conn.db.password }}@db/sales",
    "postgresql://me:$PASSWORD@db/sales",
    "postgresql://me:***@db/sales",
    "https://example.org/a?page_token=abc&token={{ var.value.t }}",
    "a token of the form ghp_ or github_pat_ or AKIA followed by sixteen characters",
    "AKIA_sales.csv",
    "ghp_orders",
    "eyJhbGci",
    "eyJ.sales.csv",
    "-----BEGIN CERTIFICATE-----\nMIIE",
    "-----BEGIN PUBLIC KEY-----",
    "-----BEGIN PRIVATE KEY is how one begins",
    '{"password": "{{ conn.db.password }}", "token": ""}',
    "Tell them the password: it is required",
    "aws athena start-query-execution --client-request-token 02ccb92b-33e8",
    "python -c 'Client(project=x, credentials=scoped)'",
    "https://example.org/stamp?signature=sha2",
]


@pytest.mark.parametrize("text", NO_SECRETS)
def test_what_stands_for_a_secret_is_none(config: dict[str, Any], text: str) -> None:
    found = [each for each in check(with_args(config, text=text)) if each.code in ("WDF501", "WDF502")]
    assert found == []
    assert hide(text) == text


def secret_paths(data: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each.code, each.path) for each in check(data) if each.code in ("WDF501", "WDF502")]


@pytest.mark.parametrize(
    ("args", "path"),
    [
        ({"env": {"PGPASSWORD": "x"}}, "env.PGPASSWORD"),
        ({"env": {"AWS_SECRET_KEY": "x"}}, "env.AWS_SECRET_KEY"),
        ({"env": {"SMTP_PASS": "x"}}, "env.SMTP_PASS"),
        ({"password": 123456}, "password"),
        ({"password": ["x"]}, "password[0]"),
        ({"headers": {"Authorization": "Token abc"}}, "headers.Authorization"),
        ({"env_vars": [{"name": "DB_PASSWORD", "value": "hunter2"}]}, "env_vars[0].value"),
        ({"argv": ["--user", "me", "--password", "hunter2"]}, "argv[3]"),
        ({"argv": ["--password=hunter2"]}, "argv[0]"),
        ({GITHUB: "x"}, "(secret)"),
        ({"a": {"postgresql://me:hunter2@db": 1}}, "a['postgresql://me:(secret)@db']"),
    ],
)
def test_keys_tell_of_secrets(config: dict[str, Any], args: dict[str, Any], path: str) -> None:
    [(_, found)] = secret_paths(with_args(config, **args))
    assert found == f"$.tasks.note.args.{path}"


@pytest.mark.parametrize(
    "args",
    [
        {"env": {"PGPASSWORD": "{{ conn.db.password }}", "PGPASSFILE": "/run/x", "TOKEN": "$$TOKEN"}},
        {"env": {"GOOGLE_APPLICATION_CREDENTIALS": "/keys/gcp.json"}},
        {"env_vars": [{"name": "DB_PASSWORD", "value": ""}, {"name": "REGION", "value": "eu"}]},
        {"argv": ["--password", "{{ conn.db.password }}", "--password-file", "x", "--token", "--verbose"]},
        {
            "password": 0,
            "token": True,
            "next_token": "abc",
            "clientRequestToken": "ab-1",
            "tokenizer": "words",
            "secret_name": "prod/db",
        },
        {"password": "<password>", "api_key": "***", "secret": "changeme"},
    ],
)
def test_keys_of_what_stands_for_secrets_are_fine(config: dict[str, Any], args: dict[str, Any]) -> None:
    assert secret_paths(with_args(config, **args)) == []


URL = "postgresql://me:hunter2-hunter2@db/sales"


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"description": f"See {URL}."}, "$.description"),
        ({"doc_md": f"# Sales\n{GITHUB}\n"}, "$.doc_md"),
        ({"dag_display_name": URL}, "$.dag_display_name"),
        ({"schedule": URL}, "$.schedule"),
        ({"schedule": {"asset": "orders", "uri": URL}}, "$.schedule.uri"),
        ({"timezone": URL}, "$.timezone"),
        ({"tags": ["sales", URL]}, "$.tags[1]"),
        ({"owner": URL}, "$.owner"),
        ({"owner": "PASSWORD=hunter2"}, "$.owner"),
        ({"owner_links": {"data": URL}}, "$.owner_links.data"),
        ({"params": {"dsn": {"type": "string", "default": URL}}}, "$.params.dsn.default"),
        ({"variables": [URL]}, "$.variables[0]"),
        (
            {"notify": {"on_failure": [{"notifier": "log", "args": {"text": URL}}]}},
            "$.notify.on_failure[0].args.text",
        ),
        ({"password": "hunter2"}, "$.password"),
        ({URL: 1}, "$['postgresql://me:(secret)@db/sales']"),
        ({"tasks": {"a": {"operator": URL}}}, "$.tasks.a.operator"),
        ({"tasks": {"a": {"operator": "trial.note", "depends_on": [GITHUB]}}}, "$.tasks.a.depends_on[0]"),
        ({"tasks": {"a": {"operator": "trial.note", "doc_md": GITHUB}}}, "$.tasks.a.doc_md"),
        ({"tasks": {GITHUB: {"operator": "trial.note"}}}, "$.tasks.(secret)"),
        ({"tasks": {"a": {"operator": "trial.note", "token": "abc"}}}, "$.tasks.a.token"),
        ({"tasks": {"g": {"tooltip": URL, "tasks": {"a": {"operator": "trial.note"}}}}}, "$.tasks.g.tooltip"),
        ({"defaults": {"pool": URL}}, "$.defaults.pool"),
    ],
)
def test_secrets_are_refused_wherever_they_stand(
    config: dict[str, Any], more: dict[str, Any], path: str
) -> None:
    assert [found for _, found in secret_paths(config | more)] == [path]


@pytest.mark.parametrize("key", ["description", "doc_md", "dag_display_name"])
def test_prose_may_tell_of_passwords(config: dict[str, Any], key: str) -> None:
    prose = (
        "Set password=hunter2, or --password x; `export TOKEN=abc`; curl -u a:pw; Authorization: Bearer abc"
    )
    assert secret_paths(config | {key: prose}) == []
    params = {"login": {"type": "string", "default": "me", "description": prose, "title": prose}}
    assert secret_paths(config | {"params": params}) == []
    assert secret_paths(with_args(config, **{key: prose})) != []


@pytest.fixture
def folder(tmp_path: Path, config: dict[str, Any]) -> Path:
    folder = tmp_path / "sales_daily_load_v1"
    folder.mkdir()
    args = {"bash_command": "load.sh", "env": {"SQL": "load.sql"}}
    (folder / "dag.json").write_text(
        json.dumps(config | {"tasks": {"load": {"operator": BASH, "args": args}}})
    )
    (folder / "load.sh").write_text("psql -f load.sql\n")
    return folder


def of_folder(folder: Path) -> list[Diagnostic]:
    return analyse(ConfigFile.at(folder / "dag.json", name="sales/dag.json")).diagnostics()


def test_scripts_beside_the_config_are_looked_through(folder: Path) -> None:
    assert of_folder(folder) == []
    (folder / "load.sh").write_text("set -e\r\nexport PGPASSWORD=hunter2\r\npsql -f load.sql\n")
    (folder / "load.sql").write_text("-- users\nalter role etl\n  password 'hunter2';\n")
    found = of_folder(folder)
    assert [(each.code, each.file, each.line, each.column) for each in found] == [
        ("WDF501", "sales/load.sh", 2, 19),
        ("WDF501", "sales/load.sql", 3, 13),
    ]
    assert [each.path for each in found] == ["$.tasks.load.args.bash_command", "$.tasks.load.args.env.SQL"]
    assert "hunter2" not in render_text(found)


def test_scripts_are_read_within_bounds(folder: Path) -> None:
    export = "export PGPASSWORD=hunter2\n"
    (folder.parent / "outside.sql").write_text(export)
    (folder / "load.sql").symlink_to("../outside.sql")
    assert of_folder(folder) == []
    (folder / "load.sql").unlink()
    (folder / "load.sql").mkdir()
    assert of_folder(folder) == []
    (folder / "load.sql").rmdir()
    (folder / "load.sql").write_text("#" * 1024 * 1024 + "\n" + export)
    assert of_folder(folder) == []


def test_names_and_values() -> None:
    assert [
        name for name in ("PGPASSWORD", "dbPassword", "x-api-key", "a.secret") if not names_secret(name)
    ] == []
    assert [
        name for name in ("passwordless", "public_key", "page_token", "monkey") if names_secret(name)
    ] == []
    assert not is_literal("  ")
    assert is_literal("/Tq8x+")
