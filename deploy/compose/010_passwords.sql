-- For this compose file alone: nothing but its own containers reaches the database.
alter role postgres password 'local';
alter role supabase_auth_admin password 'local';
create role wallet_sync_service login noinherit password 'local';
