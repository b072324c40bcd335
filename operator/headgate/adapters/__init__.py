"""What speaks to the world outside: each room fits Protocols that observing and acting declare, and knows no other room."""
