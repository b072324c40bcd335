"""What speaks to the world outside: each room fits Protocols that observe and act declare, and knows no other room."""
