"""Tests of the house itself: its rules, layers, layout and pins. They read files; they run no operator."""
