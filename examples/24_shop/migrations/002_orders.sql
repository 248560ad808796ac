-- ஆணைகளும் அவற்றின் வரிகளும் (orders and their lines)
CREATE TABLE orders (
    id VARCHAR(36) PRIMARY KEY,
    customer VARCHAR(200) NOT NULL,
    total NUMERIC(20, 2) NOT NULL,
    made VARCHAR(40) NOT NULL
);

CREATE TABLE order_lines (
    order_id VARCHAR(36) NOT NULL REFERENCES orders (id),
    code VARCHAR(100) NOT NULL REFERENCES items (code),
    quantity INTEGER NOT NULL,
    price NUMERIC(12, 2) NOT NULL,
    PRIMARY KEY (order_id, code)
);
