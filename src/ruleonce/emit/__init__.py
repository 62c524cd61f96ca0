"""One pure function a language: a program goes in, text comes out."""
