-- What the engine knows, one JSON document for each kind and id.
CREATE TABLE documents (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    body TEXT NOT NULL,
    changed TEXT NOT NULL,
    PRIMARY KEY (kind, id)
);

-- What stood in the sources on a day. Read again it is the same item, not another one.
CREATE TABLE items (
    day TEXT NOT NULL,
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (day, source, id)
);
